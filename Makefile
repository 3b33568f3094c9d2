# What a developer does here. Everything but `peers`, `race` and `screenshot` needs Go alone.
GO       ?= go
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 30s
# For chaos: such as "-kills 1000 -seed 7". For soak: where to put the results.
CHAOS    ?= -kills 100
SOAK     ?= soak

# How often the power is cut on each file system, and the seed of the moments.
POWER_ROUNDS ?= 50
POWER_SEED   ?= 1

# Where packages and binaries go.
BIN      ?= bin
# check-systemd: where its Debian is kept between runs; it is made anew where this is empty.
DEBIAN_ROOT ?=
# A tag v1.2.3 is 1.2.3; before any tag it is the day and the commit.
VERSION  ?= $(shell packaging/version.sh)

.PHONY: help build deb check-systemd image docs run test race check fmt lint peers fuzz bench screenshot chaos soak power

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## the static binary, in BIN; its version is VERSION
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.built=$(VERSION)' -o $(BIN)/smsbridge ./cmd/smsbridge

deb: build ## the Debian package, in BIN, tested (dpkg-deb; installed and purged in a copy of the system as root)
	packaging/check.sh "$$(packaging/deb.sh $(BIN)/smsbridge $(VERSION) $(BIN))"

check-systemd: deb ## the package under a real systemd, in a container of its own (root; mmdebstrap, systemd-container)
	packaging/systemd-check.sh $(BIN)/smsbridge_$(VERSION)_$$(dpkg --print-architecture).deb $(DEBIAN_ROOT)

image: build ## the container image smsbridge:VERSION, tested (podman as root; buildah or docker build it alone)
	packaging/image.sh $(BIN)/smsbridge smsbridge:$(subst +,-,$(subst ~,-,$(VERSION)))
	packaging/image-check.sh smsbridge:$(subst +,-,$(subst ~,-,$(VERSION)))

docs: ## docs/configuration.md, made of the example and the parser
	SMSBRIDGE_WRITE_DOCS=1 $(GO) test ./configs -run '^TestConfigurationPage$$' -count=1

run: ## the demo, on one page in the browser
	$(GO) run ./cmd/smsbridge demo

test: ## the tests, as the README has it
	$(GO) test ./...

race: ## the tests with the race detector, and what was skipped; needs a C compiler
	@bash -o pipefail -c '$(GO) test -race -json ./... | $(GO) run ./.ci'

check: ## all that a change must pass: vet, linters, format, tests with the race detector
	$(GO) vet ./... ./.ci
	$(GOLANGCI) run ./...
	@$(MAKE) --no-print-directory race

fmt: ## put the code in its form
	$(GOLANGCI) fmt ./...

lint: ## the linters alone
	$(GOLANGCI) run ./...

peers: ## install the servers that nobody here wrote (Debian), and test against them
	internal/peers/install.sh
	SMSBRIDGE_PEERS=require $(GO) test ./...

fuzz: ## each fuzz test for FUZZTIME
	.ci/fuzz $(FUZZTIME)

bench: ## the smpp room beside other SMPP clients, and look-ups; bench/README.md says how
	cd bench && $(GO) run . submit && $(GO) run . both -windows 100 && $(GO) run . memory && $(GO) run . lookup

power: ## cut the power of a disk POWER_ROUNDS times on each file system (root; xfsprogs, btrfs-progs)
	SMSBRIDGE_POWER_ROUNDS=$(POWER_ROUNDS) SMSBRIDGE_POWER_SEED=$(POWER_SEED) \
		$(GO) test ./cmd/smsbridge -run '^TestPowerLoss' -count=1 -v -timeout 3h

screenshot: ## the README's picture of the demo, by Chromium
	SMSBRIDGE_PICTURES=$(CURDIR)/docs $(GO) test ./cmd/smsbridge -run '^TestDemoInChromium$$' -count=1

chaos: ## kill the daemon 100 times, and break what else can break; docs/chaos.md
	$(GO) run ./internal/chaos $(CHAOS)

soak: ## an hour of steady work and mild faults, measured: results in the folder SOAK
	nice $(GO) run ./internal/chaos -mild -kills 0 -for 1h -every 20s -pause 2s -phones 10 -sample 5s -dir $(SOAK)
