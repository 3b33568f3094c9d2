package smsc

import "testing"

// A reader that does not read is cut off, and holds up nobody.
func TestSlowReaderIsCutOff(t *testing.T) {
	e := newEvents()
	slow, slowDone := e.subscribe()
	quick, quickDone := e.subscribe()
	defer quickDone()
	for range eventBuffer + 1 {
		e.publish(Message{})
		<-quick
	}
	n := 0
	for range slow {
		n++
	}
	if n != eventBuffer {
		t.Errorf("it got %d events, not %d", n, eventBuffer)
	}
	slowDone()
	e.close()
	e.close()
	if _, more := <-quick; more {
		t.Error("the end did not end the quick reader")
	}
	late, done := e.subscribe()
	defer done()
	if _, more := <-late; more {
		t.Error("an event after the end")
	}
}
