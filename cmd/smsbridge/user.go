package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"smsbridge/messenger/web"
)

// UserCmd is `smsbridge user`.
type UserCmd struct {
	Hash  UserHashCmd  `cmd:"" help:"Ask for a password and print its hash, for web.users of the configuration."`
	Token UserTokenCmd `cmd:"" help:"Print a new API token and its hash, for web.tokens of the configuration."`
}

// UserHashCmd is `smsbridge user hash`.
type UserHashCmd struct{}

// Run asks for a password, twice where somebody types it, and prints the hash alone, so
// that a script can take it.
func (*UserHashCmd) Run(std *stdio) error {
	password, err := readPassword(std)
	if err != nil {
		return err
	}
	hash, err := web.HashPassword(password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.out, hash)
	return err
}

func readPassword(std *stdio) (string, error) {
	file, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(std.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("the password cannot be read: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(std.err, prompt)
		typed, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(std.err)
		return string(typed), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", fmt.Errorf("the password cannot be read: %w", err)
	}
	second, err := ask("The same again: ")
	if err != nil {
		return "", fmt.Errorf("the password cannot be read: %w", err)
	}
	if first != second {
		return "", errors.New("the two passwords differ: try again")
	}
	return first, nil
}

// UserTokenCmd is `smsbridge user token`.
type UserTokenCmd struct{}

// Run prints a token, which is kept nowhere, and its hash.
func (*UserTokenCmd) Run(std *stdio) error {
	token, hash := web.NewToken()
	_, err := fmt.Fprintf(std.out, "token: %s\nhash:  %s\n", token, hash)
	fmt.Fprintln(std.err, "Give the token to the program; it is not shown again. Put the hash into web.tokens.")
	return err
}
