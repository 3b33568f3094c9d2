package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// VersionCmd is `smsbridge version`.
type VersionCmd struct{}

// Run prints the version, and what it was built with.
func (*VersionCmd) Run(std *stdio) error {
	_, err := fmt.Fprintf(std.out, "smsbridge %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// built is the version that `make build` links in; empty in other builds.
var built string

// version is what make gave the build, or else what the Go tool noted about it: a tag, a commit, or (devel).
func version() string {
	if built != "" {
		return built
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
