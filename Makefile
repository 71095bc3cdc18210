# Thin front: each target calls a script in tools/, which can also be called by itself.
PYTHON ?= /usr/bin/python3

.PHONY: help build programs deb run test lint fuzz bench clean

help:
	@echo 'make build   install what is missing, build build/leash, build/leash-console (with its page) and build/leashctl'
	@echo 'make deb     .deb packages in build/packages'
	@echo 'make run     build, then run a proxy on 127.0.0.1:8080 and its console on 127.0.0.1:8090, all files in run/'
	@echo 'make test    everything: unit, integration, console, sanitizers, fuzz, lint (make test ONLY=unit,console)'
	@echo 'make lint    clang-format, clang-tidy, layers'
	@echo 'make fuzz    each fuzz target for SECONDS seconds (60)'
	@echo 'make bench   leash and its peers in one run, one table (BENCH=quick: two minutes; as root)'
	@echo 'make clean   remove the build folders (run/ stays: it holds a CA and a log)'

build:
	@tools/setup.sh build
	@$(MAKE) --no-print-directory programs

# Without looking for packages.
programs:
	@$(PYTHON) tools/build.py release src/leash src/console/leash-console src/ctl/leashctl

deb:
	@tools/setup.sh build deb
	@tools/deb.sh

run: build
	@tools/run.sh

test:
	@tools/setup.sh build test
	@$(PYTHON) tools/test.py $(if $(ONLY),--only $(ONLY))

lint:
	@tools/setup.sh build test
	@$(PYTHON) tools/test.py --only lint,tidy

fuzz:
	@tools/setup.sh build test
	@$(PYTHON) tools/test.py --only fuzz --fuzz-seconds $(or $(SECONDS),60)

bench:
	@tools/setup.sh build bench
	@$(PYTHON) tools/build.py release src/leash src/ctl/leashctl bench/load
	@$(PYTHON) bench/compare.py $(if $(filter quick,$(BENCH)),--quick)

clean:
	rm -rf build build-asan build-tsan
