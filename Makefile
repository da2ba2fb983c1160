# Short names for the presets of CMakePresets.json; everything else is CMake's.
PRESET ?= release
JOBS ?= $(shell nproc)
TEST = ctest --preset $(PRESET) --parallel $(JOBS)
ROOMS = $(wildcard core kernels patch mpi model bfs packer cli)

.DEFAULT_GOAL := build
.PHONY: help build check check-mpi check-all lint format tidy asan tsan demo install-check clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16
	@echo 'Another preset: make check PRESET=debug'

build: ## configure and build
	cmake --preset $(PRESET)
	cmake --build --preset $(PRESET) --parallel $(JOBS)

check: build ## the quick tests: no MPI launcher, nothing slow
	$(TEST) -LE 'mpi|slow|invariance'

check-mpi: build ## the tests under mpirun, and that ranks and threads change nothing
	$(TEST) -L 'mpi|invariance'

check-all: build ## every test
	$(TEST)

lint: build ## layers, formatting, hygiene
	$(TEST) -L lint

format: ## clang-format every file in place
	find $(ROOMS) tests -name '*.h' -o -name '*.cpp' | xargs clang-format -i

tidy: build ## clang-tidy over every room
	find $(ROOMS) -name '*.cpp' | xargs -n 4 -P $(JOBS) clang-tidy -p build/$(PRESET) --quiet

asan: ## every test under the address and undefined-behaviour sanitizers
	$(MAKE) check-all PRESET=asan

tsan: ## every test without MPI under the thread sanitizer
	$(MAKE) check PRESET=tsan

demo: ## the main job on the demo model
	./run-demo

install-check: build ## install, then build a program against the installed package
	$(TEST) -L install

clean: ## remove the preset's build folder
	cmake -E rm -rf build/$(PRESET)
