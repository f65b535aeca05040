# Go and make are enough for build, run, test, bench and fuzz. `make help` says
# what the other targets use beside them; they fetch it when they are run, never
# before.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO        ?= go
VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS   := $(if $(VERSION),-X selvedge/internal/config.version=$(VERSION))
PACKAGES  ?= ./...
# So many inputs, not so long: Go 1.26 may take the end of a time for a failure
# (golang.org/issue/75804).
FUZZTIME  ?= 100000x
BENCHTIME ?= 1s

LINT_VERSION := v2.15.0
LINT         := .bin/golangci-lint-$(LINT_VERSION)
VULN_VERSION := v1.1.4

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/selvedge.
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/selvedge .

.PHONY: run
run: build ## Build, then run the whole thing on this machine: bin/selvedge dev.
	bin/selvedge dev

# Worlds in virtual time run on one CPU: on several, Go's race detector crashes once in a
# while, as two threads run timers of one bubble with the one context that the bubble has for it
# (SIGSEGV in goroutine 0; runtime/time.go, unlockAndRun, of go1.26). The longest, simulations/world,
# begins early: sort -r.
VIRTUAL := ./edge/client ./edge/objects ./edge/roster ./edge/session ./edge/upstream ./simulations/bubble ./simulations/geo ./simulations/netsim ./simulations/storm ./simulations/world/... ./topology/gossip ./wire/link

.PHONY: test
test: test-go $(if $(shell sh -c 'command -v terraform'),terraform) ## Run every test, those of the Terraform modules where terraform is.

.PHONY: test-go
test-go: ## Run every test with the race detector, in random order. A skipped test is a failure. Uses a C compiler (race detector).
	@virtual=$$($(GO) list $(VIRTUAL)) && all=$$($(GO) list $(PACKAGES)) && { \
		echo "$$all" | grep -v -x -F "$$virtual" | xargs -r $(GO) test -race -shuffle=on -json; \
		echo "$$all" | grep -x -F "$$virtual" | sort -r | xargs -r $(GO) test -race -cpu 1 -shuffle=on -json; \
	} 2>&1 | $(GO) run ./internal/testreport

.PHONY: test-bugs
test-bugs: ## Plant seven bugs, one at a time, and see that the checks find each.
	@$(GO) test -tags bugs -count=1 -run Planted -json ./simulations/faults 2>&1 | $(GO) run ./internal/testreport

.PHONY: lint
lint: $(LINT) ## Check code, formatting, go.mod and JavaScript. Fetches golangci-lint through the Go module proxy; uses node.
	$(LINT) config verify
	$(LINT) run $(PACKAGES)
	$(LINT) fmt --diff
	$(GO) mod tidy -diff
	cd terraform/stub && $(CURDIR)/$(LINT) run --config $(CURDIR)/.golangci.yml ./... && $(GO) mod tidy -diff
	@command -v node >/dev/null || { echo 'make lint: node is missing: install nodejs'; exit 1; }
	@find . \( -name node_modules -o -name .git \) -prune -o \( -name '*.js' -o -name '*.mjs' \) -print0 | \
		xargs -0 -r -n 1 sh -c 'echo "node --check $$0" && { case $$0 in *.mjs) node --check "$$0" ;; *) node --check --input-type=module < "$$0" ;; esac; }'

$(LINT):
	@mkdir -p .bin
	GOBIN='$(CURDIR)/.bin' $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv .bin/golangci-lint $(LINT)

.PHONY: bench
bench: build ## Measure the whole thing beside the bare floor: bin/selvedge bench table. A quarter of an hour, on an idle machine with Linux.
	bin/selvedge bench table

.PHONY: microbench
microbench: ## Run the benchmarks of all packages.
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(PACKAGES)

SIMULATE ?= bin/simulations

.PHONY: simulate
simulate: build ## Play the simulations at small sizes, and write their reports: bin/simulations/NAME/report.html. Some minutes. Compares with redis-server where it is installed.
	bin/selvedge simulate geo --quick --out $(SIMULATE)/geo
	bin/selvedge simulate fanout --quick $(if $(shell sh -c 'command -v redis-server'),,--without-redis) --out $(SIMULATE)/fanout
	bin/selvedge simulate storm --quick --out $(SIMULATE)/storm
	bin/selvedge simulate million --quick --out $(SIMULATE)/million
	bin/selvedge simulate planet --quick --out $(SIMULATE)/planet

.PHONY: crosscheck
crosscheck: build ## Play three regions with real processes over a router and in virtual time, and see that both agree. Linux, as root, on an idle machine; a minute.
	bin/selvedge simulate geo --real 20s --scenario simulations/geo/testdata/crosscheck.yaml --out $(SIMULATE)/crosscheck

.PHONY: fuzz
fuzz: ## Fuzz each target with FUZZTIME (100000x) inputs.
	@grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
			echo "--- $$(dirname "$$file") $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" < /dev/null; \
		done; \
	done

.PHONY: test-browser
test-browser: build ## Drive the demo in a real browser. Uses chromium, node and npm (playwright-core).
	cd .ci/browser && npm ci --no-audit --no-fund && npm test

.PHONY: vulncheck
vulncheck: ## Look for known vulnerabilities. Fetches govulncheck and asks vuln.go.dev.
	$(GO) run golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION) $(PACKAGES)

TERRAFORM_TEST := $(GO) test -tags terraform -count=1 ./terraform -selvedge='$(CURDIR)/bin/selvedge' -tools='$(CURDIR)/.bin/terraform'

.PHONY: terraform
terraform: ## Check the Terraform modules: on a stand-in for AWS, and as processes here. Uses terraform; without it says so, and fails where CI is set.
	@if command -v terraform >/dev/null; then \
		$(MAKE) --no-print-directory terraform-checks; \
	elif [ -n "$${CI:-}" ]; then \
		echo 'make terraform: terraform is not installed, and CI is set: install it' >&2; exit 1; \
	else \
		echo 'make terraform: terraform is not installed: nothing of terraform/ was checked'; \
	fi

.PHONY: terraform-checks
terraform-checks: build
	cd terraform/stub && $(GO) vet . && $(GO) build -trimpath -o ../../.bin/terraform/stub .
	@$(TERRAFORM_TEST) -timeout 15m -json 2>&1 | $(GO) run ./internal/testreport

.PHONY: terraform-docs
terraform-docs: ## Write the inputs and outputs of the Terraform modules into their READMEs.
	@$(TERRAFORM_TEST) -run TestTables -update

.PHONY: clean
clean: ## Remove what was built and fetched into this folder.
	rm -rf bin .bin .ci/browser/node_modules .ci/browser/screenshots
