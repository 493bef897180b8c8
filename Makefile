# Run bare, make prints what it can do. All of it is plain go commands; nothing
# here is needed to build Evert.

GO ?= go

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: ## a throw-away Postgres with a shop under traffic, captured; installs nothing
	$(GO) run ./cmd/evert demo

build: ## ./evert, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o evert ./cmd/evert

test: ## the tests, with real servers, without long ones; LANES=unit,format make test runs some
	@$(GO) run ./integration/lanes

ci: ## make test; then long tests, the race detector, other Postgres versions, staticcheck, other platforms
	@LANES=ci $(GO) run ./integration/lanes

test-mysql: ## the MySQL source on other servers: EVERT_MYSQLS=/path/to/mysqld:…, else what Maven and Debian have
	@LANES=mysql $(GO) run ./integration/lanes

crash: ## kill -9 at random moments, full counts (EVERT_CRASH_RUNS=200), and the long tests
	@LANES=crash $(GO) run ./integration/lanes

bench: ## speed as a ratio to the limit; writes results/
	$(GO) run ./integration/bench

lint: ## format, vet, staticcheck
	@LANES=format,vet,lint $(GO) run ./integration/lanes

fuzz: ## every fuzz target in turn for EVERT_FUZZTIME=10s
	@LANES=fuzz $(GO) run ./integration/lanes

cover: ## coverage of the tests beside the code, per package; writes results/
	@mkdir -p results
	$(GO) test -short -coverprofile=results/cover.out $$($(GO) list ./... | grep -v /integration)
	$(GO) tool cover -func=results/cover.out | tail -1

schema: ## rewrite what is generated: JSON Schema, references of the YAML file and of the metrics
	$(GO) test ./configs -run 'TestSchema.*IsCurrent' -update
	$(GO) test ./cmd/evert/monitor -run TestSchemaMetricsAreCurrent -update

golden: ## rewrite the lists of imports and of licences that reviewers have agreed to
	$(GO) test ./integration/house -run TestImportsAreThoseReviewed -update
	$(GO) test ./integration/supply -run TestLicences -update

sbom: ## what the binary is made of, as CycloneDX; writes results/
	@mkdir -p results
	CGO_ENABLED=0 $(GO) build -trimpath -o results/evert ./cmd/evert
	$(GO) run ./integration/supply results/evert > results/sbom.cdx.json

vuln: ## known vulnerabilities in what is linked; asks the network for their list
	@LANES=vuln $(GO) run ./integration/lanes

.PHONY: help demo build test ci test-mysql crash bench lint fuzz cover schema golden sbom vuln
