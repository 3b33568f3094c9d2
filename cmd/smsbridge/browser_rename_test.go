package main

import (
	"slices"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/smpp/smsc"
)

// TestRenameInChromium: a page that is open shows the conversations of who gets its name, and what comes after that, and
// shows them no more when the name ends, without being loaded anew.
func TestRenameInChromium(t *testing.T) {
	b := newBrowser(t)
	all, hashes := people("ann", "anna")
	simulator := startSMSC(t, smsc.Config{Addr: "127.0.0.1:0", ReceiptDelay: 20 * time.Millisecond})
	p := startDaemon(t, testConfig(t.TempDir(), simulator.Addr(), hashes, ""))
	operator := operatorAt{t, p.ops}
	c := crowd{people: all[:1], phones: 1, perPhone: 1}
	c.at(p)
	c.write(t)
	c.final(t)
	phone := addressing.MustParseMSISDN(phoneOf(0))
	number := messages(t, simulator, phoneOf(0))[0].From
	say := func(text string) {
		t.Helper()
		if _, err := simulator.Send(phone, number, text); err != nil {
			t.Fatal(err)
		}
	}
	say("Hello ann")
	if !all[0].wrote(t, "Hello ann") {
		t.Fatal("ann did not get the answer")
	}

	b.open(p.web)
	b.sees(`document.querySelector("#sign-in") && !document.querySelector("#sign-in").hidden`)
	b.sees(`(() => {
		const form = document.querySelector("#sign-in form");
		[form.elements.user.value, form.elements.password.value] = ["anna", "ann"];
		form.requestSubmit();
		window.loadedOnce = true;
		return true;
	})()`)
	b.sees(`!document.querySelector("#app").hidden && !document.querySelector("#list-empty").hidden`)
	operator.does("handle rename web:ann web:anna", "the first is called the second")
	b.sees(`document.querySelector("#list button")?.textContent.includes("Hello ann")`)
	b.sees(`(document.querySelector("#list button").click(), true)`)
	b.sees(said(`[...document.querySelectorAll(".message.mt .text")]`, textOf("ann", 0)))
	b.sees(`document.querySelector("#text").clientHeight > 20`) // a line is
	say("Hello anna")
	b.sees(said(`[...document.querySelectorAll(".message.mo .text")]`, "Hello anna"))
	b.looks("renamed")
	operator.does("handle rename web:anna web:ann", "the first is called the second")
	b.sees(`!document.querySelector("#list").children.length && !document.querySelectorAll(".message").length`)
	b.looks("renamed-back")
	b.sees(`window.loadedOnce`)
	if got, want := all[0].said(t, phoneOf(0)), []string{"mt " + textOf("ann", 0), "mo Hello ann", "mo Hello anna"}; !slices.Equal(got, want) {
		t.Errorf("ann reads %q, want %q", got, want)
	}
}
