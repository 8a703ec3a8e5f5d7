# Every command of the house. Each one installs what it needs first (scripts/setup.sh: quick when nothing is missing).
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
# the pinned Node comes first; /usr/sbin for those who are not root
export PATH := $(CURDIR)/node_modules/.bin:$(PATH):/usr/sbin:/sbin

LAB := test/lab/build
# make test TIER=unit, make test FILES="test/unit/net/range.test.ts"
TIER ?=
FILES ?=
# make bench-cluster SIZES="100 1000", make image IMAGE=registry/vipvs:0.1.0
SIZES ?=
IMAGE ?= vipvs:0.1.0
ENGINE ?=
BUILD_FLAGS ?=

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf 'make %-14s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: ## install what is missing: npm packages with the pinned Node, Debian packages, native library, lab kernel
	@scripts/setup.sh
	@$(MAKE) lab

.PHONY: native
native: ## build the native library
	@$(MAKE) -s -C native

.PHONY: lab
lab: $(LAB)/server $(LAB)/client
	@:
$(LAB)/%: test/lab/%.c
	@mkdir -p $(LAB)
	@$(CC) -O2 -Wall -Wextra -Werror -o $@ $<

CHECKS := check-format check-lint check-types check-imports check-unused check-shell check-native
.PHONY: check $(CHECKS)
check: ## format, lint, types, dependency rules, unused code, shell scripts, warnings of the C compiler
	@scripts/setup.sh npm
	@$(MAKE) -j2 -k --output-sync=target $(CHECKS)
check-format:
	@prettier --check --log-level=warn . && echo 'check: format ok'
check-lint:
	@eslint --max-warnings=0 . && echo 'check: lint ok'
check-types:
	@tsc && echo 'check: types ok'
check-imports:
	@depcruise --config dependency-cruiser.config.ts --output-type err src test scripts
check-unused:
	@knip --no-progress && echo 'check: nothing unused'
check-shell:
	@scripts/setup.sh check-packages
	@shellcheck -x $$(git ls-files | xargs grep -lE '^#!(/bin/|/usr/bin/env )(ba|busybox )?sh' --) && echo 'check: shell scripts ok'
check-native: native lab
	@echo 'check: C without warnings'

.PHONY: test
test: setup ## every test; TIER=unit or FILES=test/unit/net/range.test.ts narrows it
	@node test/run.ts $(TIER) $(FILES)

.PHONY: demo
demo: ## the product in a lab, step by step, in a minute or two
	@scripts/setup.sh npm lab-packages native kernel
	@$(MAKE) lab
	@node scripts/bundle.ts
	@for program in demo http-server; do node test/lab/bundle.ts test/demo/$$program.ts $(LAB)/$$program.mjs; done
	@[ ! -t 1 ] || set -- --terminal; \
	  test/lab/run -t 300 -- node $(LAB)/demo.mjs $(CURDIR)/dist/vipvs.js $(CURDIR)/$(LAB)/http-server.mjs "$$@"

.PHONY: demo-cluster
demo-cluster: ## the same story with kubectl: a real API server here, two directors in the lab; two minutes
	@scripts/setup.sh npm lab-packages cluster-packages native kernel
	@$(MAKE) lab
	@test/controlplane/build.sh >/dev/null
	@node test/demo/demo-cluster.ts

.PHONY: bench
bench: setup ## tables and JSON of speed and memory, see docs/limits.md
	@node test/bench/run.ts

.PHONY: bench-cluster
bench-cluster: ## assigner and agent on a real API server with 100, 1,000 and 10,000 Services (25 minutes); SIZES="100"
	@scripts/setup.sh npm cluster-packages
	@node test/bench/cluster.ts $(SIZES)
	@$(MAKE) bench-agent SIZES="$(SIZES)"

.PHONY: bench-agent
bench-agent: ## the agent of a director beside kube-proxy, in the lab, on the same Services (ten minutes); SIZES="100"
	@scripts/setup.sh npm lab-packages cluster-packages test-packages native kernel
	@$(MAKE) lab
	@node test/bench/agent.ts $(SIZES)

.PHONY: image
image: ## the container image, with docker, podman or buildah; IMAGE=vipvs:0.1.0 ENGINE=podman BUILD_FLAGS=--no-cache
	@ENGINE="$(ENGINE)" scripts/image.sh $(IMAGE) $(BUILD_FLAGS)

.PHONY: gen
gen: ## write the generated files: CRDs, reference pages
	@scripts/setup.sh npm
	@node scripts/generate.ts

.PHONY: clean
clean: ## remove what was built; the installed packages and the lab kernel stay
	@rm -rf dist coverage native/build $(LAB)
