package main

import (
	"fmt"
	"io"
	"strings"

	"smsbridge/configs"
)

// CheckCmd is `smsbridge check`.
type CheckCmd struct {
	Config  string `required:"" xor:"what" short:"c" placeholder:"FILE" help:"The file to check."`
	Example bool   `required:"" xor:"what" help:"Print the commented example in place of checking a file."`
}

// Run checks the file as serve does, with the secrets and certificates that it names.
func (c *CheckCmd) Run(std *stdio) error {
	if c.Example {
		_, err := io.WriteString(std.out, configs.Example)
		return err
	}
	cfg, err := configs.Load(c.Config)
	if err != nil {
		return err
	}
	var messengers []string
	if cfg.XMPP != nil {
		messengers = append(messengers, "xmpp at "+cfg.XMPP.Server)
	}
	if cfg.Web != nil {
		messengers = append(messengers, "web at "+cfg.Web.Listen)
	}
	fmt.Fprintf(std.out, "%s is good: %s, %s of the bridge, %s.\n", c.Config, count(len(cfg.SMSCs), "link"),
		count(len(cfg.Numbers.Pool)+len(cfg.Numbers.Dedicated), "number"), strings.Join(messengers, ", "))
	return nil
}
