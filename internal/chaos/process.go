//go:build linux

package main

import (
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// process is a program that is started and killed again and again. Its methods may be
// called concurrently, but for launch.
type process struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// launch starts the program. read gets all that it says until it ends; exited is closed
// once it is gone.
func (p *process) launch(cmd *exec.Cmd, read func(io.Reader)) (exited chan struct{}, err error) {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited = make(chan struct{})
	go func() {
		defer close(exited)
		read(stderr)
		_ = cmd.Wait() // it was killed, or its last words are in the log
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.exited = cmd, exited
	return exited, nil
}

// now is the process that runs, or ran last.
func (p *process) now() (*os.Process, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil, nil
	}
	return p.cmd.Process, p.exited
}

// kill is kill -9; it returns once the process is gone.
func (p *process) kill() {
	if process, exited := p.now(); process != nil {
		_ = process.Kill() // fails only where it is gone
		<-exited
	}
}

// signal tells the process something.
func (p *process) signal(s syscall.Signal) error {
	process, _ := p.now()
	return process.Signal(s)
}

// gone is closed when the process that runs now has ended.
func (p *process) gone() <-chan struct{} {
	_, exited := p.now()
	return exited
}
