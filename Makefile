# Thin front: each target calls a script in tools/, which can also be called by itself.
PYTHON ?= /usr/bin/python3

.PHONY: help build run test lint fuzz clean

help:
	@echo 'make build   install what is missing, build build/leash and build/leashctl'
	@echo 'make run     build, then run a proxy on 127.0.0.1:8080 with all its files in run/'
	@echo 'make test    everything: lint, unit, integration, sanitizers, fuzz (make test ONLY=unit,integration)'
	@echo 'make lint    clang-format, clang-tidy, layers'
	@echo 'make fuzz    each fuzz target for SECONDS seconds (60)'
	@echo 'make clean   remove the build folders (run/ stays: it holds a CA and a log)'

build:
	@tools/setup.sh build
	@$(PYTHON) tools/build.py release src/leash src/ctl/leashctl

run: build
	@tools/run.sh

test:
	@tools/setup.sh build test
	@$(PYTHON) tools/test.py $(if $(ONLY),--only $(ONLY))

lint:
	@tools/setup.sh build test
	@$(PYTHON) tools/test.py --only lint

fuzz:
	@tools/setup.sh build test
	@$(PYTHON) tools/test.py --only fuzz --fuzz-seconds $(or $(SECONDS),60)

clean:
	rm -rf build build-asan build-tsan .cache
