package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"smsbridge/ops"
)

// TopCmd is `smsbridge top`.
type TopCmd struct {
	opsClient
	Once bool `help:"Print it once and end, for scripts and pipes; --json does so as well."`
}

// How often top asks the daemon, and how long it waits for an answer.
const (
	topEvery  = 2 * time.Second
	topWithin = 8 * time.Second
)

// topAnswers are what the daemon says of itself at one moment.
type topAnswers struct {
	Findings ops.Findings `json:"findings"`
	Queue    ops.Queue    `json:"queue"`
	Links    ops.LinkList `json:"links"`
	History  ops.Hour     `json:"history"`
}

// Run shows how the daemon is until q is pressed, or once.
func (c *TopCmd) Run(ctx context.Context, std *stdio) error {
	if c.JSON {
		all, err := c.answers(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(std.out).Encode(all)
	}
	color := os.Getenv("NO_COLOR") == ""
	if c.Once {
		all, err := c.answers(ctx)
		if err != nil {
			return err
		}
		width := defaultWidth
		if f, ok := std.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			if w, _, err := term.GetSize(int(f.Fd())); err == nil {
				width = w
			}
		} else {
			color = false
		}
		_, err = fmt.Fprintln(std.out, topFrame(topState{answers: all, from: c.Ops, width: width, color: color}))
		return err
	}
	m := topModel{ask: c.answers, state: topState{from: c.Ops, width: defaultWidth, height: defaultHeight, color: color, live: true}}
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(std.in), tea.WithOutput(std.out)).Run()
	if errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = nil // a signal is a way to leave as well
	}
	return err
}

// answers asks the daemon for everything. Before anything was found out about the links or the queue
// there may be nothing of them: the findings say why.
func (c opsClient) answers(ctx context.Context) (all topAnswers, err error) {
	ctx, cancel := context.WithTimeout(ctx, topWithin)
	defer cancel()
	get := func(path string, answer any) error {
		_, err := c.send(ctx, http.MethodGet, "/admin/v1/"+path, url.Values{}, nil, nil, answer)
		return err
	}
	if err := get("findings", &all.Findings); err != nil {
		return all, err
	}
	_ = get("queue", &all.Queue)
	_ = get("links", &all.Links)
	return all, get("history", &all.History)
}

// topModel is the program of the terminal: it asks, shows, and asks again.
type topModel struct {
	ask   func(context.Context) (topAnswers, error)
	state topState
}

// answered is what the daemon said, or that it did not.
type answered struct {
	answers topAnswers
	err     error
	at      time.Time
}

type askNow struct{}

func (m topModel) Init() tea.Cmd { return m.fetch }

func (m topModel) fetch() tea.Msg {
	all, err := m.ask(context.Background())
	return answered{all, err, time.Now()}
}

func (m topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.state.width, m.state.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		}
	case askNow:
		return m, m.fetch
	case answered:
		if m.state.err = msg.err; msg.err == nil {
			m.state.answers, m.state.lost = msg.answers, time.Time{}
		} else if m.state.lost.IsZero() {
			m.state.lost = msg.at
		}
		return m, tea.Tick(topEvery, func(time.Time) tea.Msg { return askNow{} })
	}
	return m, nil
}

func (m topModel) View() tea.View {
	v := tea.NewView(topFrame(m.state))
	v.AltScreen, v.WindowTitle = true, "smsbridge top"
	return v
}
