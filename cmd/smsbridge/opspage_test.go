package main

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"smsbridge/addressing"
	"smsbridge/smpp/smsc"
)

// findings is an expression: the page says this of what is wrong.
func findings(kind, words string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#findings li")].some((e) => e.dataset.key.startsWith(%q) && e.textContent.includes(%q))`, kind, words)
}

// onOpsPage opens the page of a daemon, to which ann may write, with its SMSC, which stop ends.
func onOpsPage(t *testing.T) (b *browser, s *smsc.Server, stop func(), p *process, ann *person) {
	t.Helper()
	b = newBrowser(t)
	all, hashes := people("ann")
	s, stop = stoppableSMSC(t, smsc.Config{Addr: "127.0.0.1:0"})
	p = startDaemon(t, testConfig(t.TempDir(), s.Addr(), hashes, ""))
	ann = all[0]
	ann.base = p.web
	b.open(p.ops + "/")
	b.sees(findings("well", "All is well: 1 of 1 link is bound, and nothing waits for a phone."))
	return b, s, stop, p, ann
}

// TestOpsPageInChromium: the operators' page of a real daemon says what is wrong with its SMSC, and
// that the daemon is gone.
func TestOpsPageInChromium(t *testing.T) {
	b, s, stop, p, ann := onOpsPage(t)
	b.sees(`document.querySelector("#links tr .pill").textContent === "bound"`)
	b.sees(`document.querySelectorAll("#stages li").length === 4`)
	b.sees(`document.querySelectorAll("#plots path").length >= 10 && document.querySelectorAll("#plots .tick").length > 9`)
	if err := s.SwitchOn("throttled", smsc.Params{}); err != nil {
		t.Fatal(err)
	}
	if m, err := ann.send(t.Context(), "+33612345678", "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err)
	}
	b.sees(findings("throttled main", "Main has throttled us"))
	b.sees(`document.querySelector("#links tr .pill").textContent === "throttled" && document.title.startsWith("(1)")`)
	if err := s.SwitchOff("throttled"); err != nil {
		t.Fatal(err)
	}
	if ended := ann.awaitFinal(t, 1); len(ended) != 1 {
		t.Errorf("%v", ended)
	}
	// The message is found by its phone, which is masked, and tells its story.
	b.sees(`(document.querySelector("#search-what").value = "+33612345678", document.querySelector("#search").requestSubmit(), true)`)
	b.sees(`document.querySelectorAll("#found tr").length === 1 && document.querySelector("#found .pill").textContent === "delivered"`)
	b.sees(`!document.querySelector("#found").textContent.includes("612345678") && (document.querySelector("#found button").click(), true)`)
	b.sees(`!document.querySelector("#story").hidden && document.querySelector("#story-facts").textContent.includes("main")`)
	b.sees(`document.querySelectorAll("#story-steps li").length >= 3 && !document.querySelector("#story").textContent.includes("Bonjour")`)
	b.sees(`(document.querySelector("#search-what").value = "nobody", document.querySelector("#search").requestSubmit(), true)`)
	b.sees(`document.querySelector("#search-said").textContent.includes("no message of that id is known") && document.querySelector("#story").hidden`)
	stop()
	b.sees(findings("link_down main", "Link main has been down"))
	if m, err := ann.send(t.Context(), "+33612345678", "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err)
	}
	b.sees(findings("link_down main", "1 message waits"))
	b.sees(`document.querySelector("#offline").hidden`)
	p.kill()
	b.sees(`document.querySelector("#offline").textContent.includes("does not answer since") && document.body.classList.contains("stale")`)
}

// TestOpsPageActs: what an operator does on the page is confirmed, done and on record.
func TestOpsPageActs(t *testing.T) {
	b, s, _, p, _ := onOpsPage(t)
	hold := func(label, verb string) {
		b.sees(`([...document.querySelectorAll("#links button")].find((e) => e.textContent === "` + label + `").click(), document.querySelector("#confirm").open)`)
		b.sees(`(document.querySelector("#confirm-yes").click(), true)`)
		b.sees(`!document.querySelector("#confirm").open && document.querySelector("#links .pill").textContent === "` + verb + `"`)
	}
	hold("Pause", "held")
	b.sees(findings("held link main", "Link main has been paused for"))
	hold("Resume", "bound")
	// What nobody is known for is a dead letter; it is dropped with a name, and on record.
	if _, err := s.Send(addressing.MustParseMSISDN("+33698765432"), "+33700000005", "to nobody"); err != nil {
		t.Fatal(err)
	}
	b.sees(`document.querySelectorAll("#dead tr").length === 1 && document.querySelector("#dead tr").textContent.includes("unroutable")`)
	b.sees(`([...document.querySelectorAll("#dead button")].find((e) => e.textContent === "Drop").click(), document.querySelector("#confirm").open)`)
	b.sees(`(document.querySelector("#confirm-name").value = "Zoé Łuk", document.querySelector("#confirm-yes").click(), true)`)
	b.sees(`!document.querySelector("#confirm").open && document.querySelectorAll("#dead tr").length === 0 && !document.querySelector("#dead-none").hidden`)
	operatorAt{t, p.ops}.does("queue audit", "pause", "resume", "drop", "Zoé Łuk from", "unroutable")
}

// TestOpsPageSendsAgain: a text that came to a number which nobody had is sent again from the page
// once somebody has it, arrives once, and that is on record.
func TestOpsPageSendsAgain(t *testing.T) {
	const phone, number = "+33698765432", "+33700000099"
	b, s, _, p, ann := onOpsPage(t)
	o := operatorAt{t, p.ops}
	if m, err := ann.send(t.Context(), "+33612345678", "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err) // her first event, behind which she begins to read
	}
	again := func(name, confirm string) {
		t.Helper()
		b.sees(button("#dead", "Send again") + ` && document.querySelector("#confirm").open`)
		b.sees(`(document.querySelector("#confirm-name").value = "` + name + `", ` + button("#confirm", confirm) + `)`)
	}
	if _, err := s.Send(addressing.MustParseMSISDN(phone), number, "to the desk"); err != nil {
		t.Fatal(err)
	}
	b.sees(`document.querySelectorAll("#dead tr").length === 1 && document.querySelector("#dead tr").textContent.includes("unroutable")`)
	b.sees(`document.querySelector("#dead").textContent.includes("+336*****432") && !document.body.textContent.includes("698765432")`)
	b.sees(findings("dead_letters", "1 waits for a decision."))
	b.looks("dead")
	b.sees(`(document.querySelector("#dead tr").old = true)`)
	again("Zoé", "Cancel")
	b.sees(`!document.querySelector("#confirm").open && document.querySelector("#dead tr").old`)
	// As long as nobody has the number it is a dead letter again, a new one.
	again("Zoé", "Send again")
	b.sees(`document.querySelector("#done").textContent === "It is in its queue again, as a new message."`)
	b.sees(`document.querySelectorAll("#dead tr").length === 1 && !document.querySelector("#dead tr").old`)
	o.does("number add "+number+" --for web:ann", "is in use")
	again("Zoé", "Send again")
	b.sees(`!document.querySelector("#confirm").open && document.querySelectorAll("#dead tr").length === 0 && !document.querySelector("#dead-none").hidden`)
	if !ann.wrote(t, "to the desk") {
		t.Error("what was sent again did not arrive")
	}
	if all := ann.said(t, phone); !slices.Equal(all, []string{"mo to the desk"}) {
		t.Errorf("ann reads %q", all)
	}
	o.does("queue audit", "requeue", "unroutable", "Zoé from")
}

// button is an expression: a button of a part of the page is there, and pressed.
func button(part, label string) string {
	return fmt.Sprintf(`(() => { const b = [...document.querySelectorAll(%q)].find((e) => e.textContent === %q && !e.hidden && !e.disabled); b?.focus(); b?.click(); return b; })()`, part+" button", label)
}

// TestOpsPagePurges: what waits is purged from the page, by route and altogether, once the page has
// said how many messages that are; and it is on record.
func TestOpsPagePurges(t *testing.T) {
	b, _, stop, p, ann := onOpsPage(t)
	const done = `document.querySelector("#done").textContent`
	b.sees(`[...document.querySelectorAll("#routes button, #stages button")].every((e) => e.hidden || e.textContent !== "Purge")`)
	b.sees(button("#links", "Rebind") + ` && document.querySelector("#confirm").open`)
	b.sees(button("#confirm", "Rebind") + ` && true`)
	b.sees(done + ` === "Link main binds anew."`)
	stop()
	b.sees(findings("link_down main", "Link main has been down"))
	for _, to := range []string{"+33612345678", "+33687654321", "+33611111111"} {
		if m, err := ann.send(t.Context(), to, "Bonjour", ""); err != nil || m.Code != http.StatusAccepted {
			t.Fatalf("%+v, %v", m, err)
		}
	}
	b.sees(`document.querySelector("#routes tr td:nth-child(3)").textContent === "3"`)
	b.looks("waiting")
	b.sees(button("#routes", "Purge") + ` && document.querySelector("#confirm").open`)
	b.sees(`document.querySelector("#confirm-text").textContent.startsWith("3 messages that no SMSC has")`)
	b.looks("purge")
	// Who does not mean it goes back to where they were, and nothing is done.
	b.sees(button("#confirm", "Cancel") + ` && !document.querySelector("#confirm").open && document.activeElement.textContent === "Purge"`)
	b.sees(button("#routes", "Purge") + ` && document.querySelector("#confirm").open`)
	b.sees(`(document.querySelector("#confirm-name").value = "Zoé", ` + button("#confirm", "Purge 3 messages") + `)`)
	b.sees(done + ` === "3 messages given up."`)
	b.sees(`document.querySelector("#routes tr td:nth-child(3)").textContent === "0" && ` +
		`[...document.querySelectorAll("#routes button")].every((e) => e.hidden || e.textContent !== "Purge")`)
	if ended := ann.awaitFinal(t, 3); len(ended) != 3 {
		t.Errorf("%v", ended)
	}
	if m, err := ann.send(t.Context(), "+33612345678", "Encore", ""); err != nil || m.Code != http.StatusAccepted {
		t.Fatalf("%+v, %v", m, err)
	}
	b.sees(button("#stages", "Purge") + ` && document.querySelector("#confirm").open`)
	b.sees(button("#confirm", "Purge 1 message") + ` && true`)
	b.sees(done + ` === "1 message given up."`)
	b.looks("purged")
	operatorAt{t, p.ops}.does("queue audit", "rebind", "purge", "mt by route", "3 messages", "mt, all: 1 messages", "Zoé from")
}
