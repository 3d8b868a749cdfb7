# make check is what CI runs beside the tests; see .ci/run.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
EVAL        := ../shared/eval
VULNDB      := ../shared/vulndb.tgz
OUT         ?= bot
IMAGE       ?= citebot:latest

.PHONY: check build image vet vuln figures figures-full bench cover

check: vet vuln figures

# The program as it is deployed: static, without paths of who built it. deploy/Dockerfile
# runs this very target, so that the two cannot differ.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o $(OUT) ./cmd/bot

image:
	docker build -f deploy/Dockerfile -t $(IMAGE) .

vet:
	test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))"
	go vet ./...
	go run $(STATICCHECK) ./...

# Vulnerabilities of what the program calls, from a copy of the Go vulnerability database.
vuln:
ifneq ($(wildcard $(VULNDB)),)
	db=$$(mktemp -d) && trap 'rm -rf "$$db"' EXIT && tar xzf $(VULNDB) -C "$$db" --strip-components=1 && \
		go run $(GOVULNCHECK) -db="file://$$db" ./...
else
	@echo "skipped: govulncheck, because there is no $(VULNDB)"
endif

# The reviewed figures of search on the question sets that are here; those of kb-docs,
# answers included, are a test. figures-full measures answers on the sets, too, and what
# is made of questions off every topic; it takes some 20 minutes.
# `make figures UPDATE=--update SETS=faq` writes a set's golden file.
SETS ?= $(basename $(notdir $(wildcard cmd/bot/testdata/eval/*.golden)))
figures:
ifeq ($(wildcard $(EVAL)),)
	@echo "skipped: figures of the evaluation sets, because there is no $(EVAL)"
else ifeq ($(SETS),)
	@echo "skipped: figures of the evaluation sets, because none has a golden file yet"
else
	mkdir -p cmd/bot/testdata/eval
	for set in $(SETS); do \
		echo "== $$set" && go run ./cmd/bot eval --search-only --docs $(EVAL)/$$set/docs \
			--golden cmd/bot/testdata/eval/$$set.golden $(UPDATE) $(EVAL)/$$set/questions.jsonl || exit 1; \
	done
endif

figures-full:
	for set in faq emanual techqa dmv; do \
		echo "== $$set" && go run ./cmd/bot eval --docs $(EVAL)/$$set/docs --offtopic $(EVAL)/offtopic/questions.jsonl \
			$(EVAL)/$$set/questions.jsonl || exit 1; \
	done

bench:
	go test -run '^$$' -bench . -benchmem ./...

cover:
	go test -short -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -func=coverage.out | tail -n 1
