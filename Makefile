# dualmem: `make bench` builds everything and runs the shipped scenarios, `make test` runs every check. Both set up .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/dualmem
JOBS ?= $(shell nproc)
# Source of a peer, from its package; the folder's name is the version.
FASTCLUSTER := build/fastcluster/1.3.0
SIMSIMD := build/simsimd/6.5.16
HNSWLIB := build/hnswlib/0.8.0
USEARCH := build/usearch/2.26.6
NUMKONG := build/numkong/7.8.6
# The crate that carries faiss's C++ source, and which faiss that is.
FAISS_CRATE := build/faiss-sys/0.7.0
FAISS_VERSION := 1.12.0

NATIVE := $(filter-out native/tests/% native/peers/%,$(wildcard native/*/*.[ch] native/*/*.in native/*/*.py native/include/dualmem/* native/cmake/*)) \
  native/CMakeLists.txt
TEST_BUILD := build/test
NEON_BUILD := build/neon
SCENARIO ?=
BASE ?= main

SOAK_CYCLES ?= 1000000
SOAK_SECONDS ?= 300
SOAK_THREADS ?= 4

.PHONY: help build bench peers overhead scaling test lint check c-test test-neon sanitize soak ab wheel clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

$(VENV)/ready: pyproject.toml
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install build-essential"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "the venv module is missing: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' \
	  || { echo "the Python headers are missing: apt-get install python3-dev"; exit 1; }
	@echo "venv      $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check cmake ninja 'scikit-build-core>=0.10' 'cffi>=1.17'
	@touch $@

# The Python package, editable, with what is built from native.
$(VENV)/installed: $(VENV)/ready $(NATIVE)
	@echo "install   dualmem with the worker and the cffi module"
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e '.[build,history]'
	@touch $@

# What only the tests need.
$(VENV)/tested: $(VENV)/installed
	@echo "install   test tools"
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e '.[dev]'
	@touch $@

# Headers that the tests of AVX-512 code need on a processor without it. Not a tool of Python: no dependencies.
$(VENV)/simde: $(VENV)/ready
	@echo "install   SIMDe"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps 'cmeel-simde>=0.8.2' || echo "SIMDe cannot be installed here"
	@touch $@

build: $(VENV)/installed ## set up .venv and build everything

bench: build ## run every shipped scenario; figures beside their budgets
	@$(RUN) bench $(SCENARIO)

peers: build ## other libraries behind the kernel table, in build/peers, for dualmem bench --peer
	@$(BIN)/python -m pip install -q --disable-pip-version-check --only-binary :all: 'scipy-openblas32>=0.3.21' \
	  || echo "openblas and fastcluster are left out: scipy-openblas32 could not be had; run make peers again with a network"
	@test -e $(FASTCLUSTER)/src/fastcluster.cpp || { mkdir -p $(FASTCLUSTER) \
	  && $(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --no-binary fastcluster -d $(FASTCLUSTER) fastcluster==$(notdir $(FASTCLUSTER)) \
	  && tar xzf $(FASTCLUSTER)/fastcluster-*.tar.gz --strip-components=1 -C $(FASTCLUSTER); } \
	  || echo "fastcluster is left out: its source package could not be had; run make peers again with a network"
	@for package in 'scipy>=1.13' 'faiss-cpu>=1.8'; do \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --only-binary :all: "$$package" \
	  || echo "$$package could not be had: its peer will not run; run make peers again with a network"; done
	@test -e $(SIMSIMD)/c/lib.c || { mkdir -p $(SIMSIMD) \
	  && $(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --no-binary simsimd -d $(SIMSIMD) simsimd==$(notdir $(SIMSIMD)) \
	  && tar xzf $(SIMSIMD)/simsimd-*.tar.gz --strip-components=1 -C $(SIMSIMD); } \
	  || echo "simsimd is left out: its source package could not be had; run make peers again with a network"
	@for source in $(HNSWLIB) $(USEARCH) $(NUMKONG); do package=$$(basename $$(dirname $$source)); \
	  test -e $$source/PKG-INFO || { mkdir -p $$source \
	  && $(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --no-binary $$package -d $$source $$package==$$(basename $$source) \
	  && tar xzf $$source/$$package-*.tar.gz --strip-components=1 -C $$source; } \
	  || echo "$$package is left out: its source package could not be had; run make peers again with a network"; done
	@test -e $(FAISS_CRATE)/vendor/faiss-sys/faiss/faiss/IndexHNSW.h || { mkdir -p $(FAISS_CRATE) \
	  && printf '[package]\nname = "peers"\nversion = "0.0.0"\n[lib]\npath = "none.rs"\n[workspace]\n[dependencies]\nfaiss-sys = "=%s"\n' \
	    $(notdir $(FAISS_CRATE)) >$(FAISS_CRATE)/Cargo.toml \
	  && cargo vendor -q --manifest-path $(FAISS_CRATE)/Cargo.toml $(FAISS_CRATE)/vendor >/dev/null; } \
	  || echo "faiss's indexes are left out: the crate faiss-sys, which carries its source, needs cargo and a network"
	@$(BIN)/python -c 'import boost_headers' 2>/dev/null \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --only-binary :all: 'boost-headers>=1.85' \
	  || echo "maps is left out: boost-headers could not be had; run make peers again with a network"
	@PATH="$(abspath $(BIN)):$$PATH" cmake -S native/peers -B build/peers -G Ninja \
	  -DPEER_OPENBLAS="$$($(BIN)/python -c 'import pathlib, scipy_openblas32 as peer; print(pathlib.Path(peer.__file__).parent)' 2>/dev/null)" \
	  -DPEER_FASTCLUSTER=$(abspath $(FASTCLUSTER)/src) -DPEER_FASTCLUSTER_VERSION=$(notdir $(FASTCLUSTER)) \
	  -DPEER_SIMSIMD=$(abspath $(SIMSIMD)) -DPEER_SIMSIMD_VERSION=$(notdir $(SIMSIMD)) \
	  -DPEER_HNSWLIB=$(abspath $(HNSWLIB)) -DPEER_HNSWLIB_VERSION=$(notdir $(HNSWLIB)) \
	  -DPEER_USEARCH=$(abspath $(USEARCH)) -DPEER_USEARCH_VERSION=$(notdir $(USEARCH)) -DPEER_NUMKONG=$(abspath $(NUMKONG)) \
	  -DPEER_FAISS=$(abspath $(FAISS_CRATE))/vendor/faiss-sys/faiss -DPEER_FAISS_VERSION=$(FAISS_VERSION) \
	  -DPEER_PYTHON=$(abspath $(BIN))/python \
	  -DPEER_BOOST="$$($(BIN)/python -c 'import boost_headers as peer; print(*peer.__path__, sep="")' 2>/dev/null)/include" >/dev/null
	@PATH="$(abspath $(BIN)):$$PATH" cmake --build build/peers -j $(JOBS)

overhead: build ## what the second type costs: the share of dual-only functions and the misses beside the twin's, against their limits
	@$(RUN) profile mixed --with perf --with callgrind --seconds 40 --rate 999 --enforce-budgets

scaling: build ## how every operation's cost grows with its size: the files of scenarios/scaling (minutes)
	@$(RUN) bench $(wildcard scenarios/scaling/*.toml)

ab: build ## judge the working tree against a baseline: make ab BASE=main
	@$(RUN) compare --baseline $(BASE) $(SCENARIO)

lint: $(VENV)/tested ## formatting, lint, types, import contracts
	@$(BIN)/ruff check dualmem_cli tests docs
	@$(BIN)/ruff format --check dualmem_cli tests docs
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

$(TEST_BUILD)/build.ninja: $(VENV)/installed $(VENV)/simde
	@PATH="$(abspath $(BIN)):$$PATH" cmake -S native -B $(TEST_BUILD) -G Ninja -DDUALMEM_TESTS=ON -DDUALMEM_PYTHON=ON -DDUALMEM_WERROR=ON \
	  -DCMAKE_PREFIX_PATH="$$(echo $(abspath $(VENV))/lib/python3*/site-packages/cmeel.prefix)" \
	  -DPython_EXECUTABLE=$(abspath $(BIN))/python >/dev/null

c-test: $(TEST_BUILD)/build.ninja ## C tests between guard pages, warnings as errors
	@PATH="$(abspath $(BIN)):$$PATH" cmake --build $(TEST_BUILD) -j $(JOBS)
	@PATH="$(abspath $(BIN)):$$PATH" ctest --test-dir $(TEST_BUILD) --output-on-failure --no-tests=error

test-neon: build ## the tests of the library on emulated 64-bit ARM, where a cross compiler and qemu are there
	@rm -rf $(NEON_BUILD)/Testing
	@if ! command -v aarch64-linux-gnu-gcc >/dev/null || ! { command -v qemu-aarch64 || command -v qemu-aarch64-static; } >/dev/null; then \
	  echo "SKIP neon: apt-get install gcc-aarch64-linux-gnu qemu-user"; exit 0; fi; \
	PATH="$(abspath $(BIN)):$$PATH" && cmake -S native -B $(NEON_BUILD) -G Ninja --toolchain cmake/aarch64.cmake \
	  -DDUALMEM_TESTS=ON -DDUALMEM_LAYOUTS=1 -DDUALMEM_WERROR=ON >/dev/null && cmake --build $(NEON_BUILD) -j $(JOBS) && \
	  ctest --test-dir $(NEON_BUILD) -j $(JOBS) --output-on-failure --no-tests=error

sanitize: build $(VENV)/simde ## the C tests under address and undefined-behaviour sanitizers, the threaded ones under the thread sanitizer
	@PATH="$(abspath $(BIN)):$$PATH" cmake -S native -B build/asan -G Ninja -DDUALMEM_TESTS=ON -DDUALMEM_LAYOUTS=1 \
	  -DCMAKE_PREFIX_PATH="$$(echo $(abspath $(VENV))/lib/python3*/site-packages/cmeel.prefix)" \
	  -DDUALMEM_SANITIZE=address,undefined >/dev/null
	@PATH="$(abspath $(BIN)):$$PATH" cmake --build build/asan -j $(JOBS)
	@PATH="$(abspath $(BIN)):$$PATH" ctest --test-dir build/asan -j $(JOBS) --output-on-failure --no-tests=error
	@PATH="$(abspath $(BIN)):$$PATH" cmake -S native -B build/tsan -G Ninja -DDUALMEM_TESTS=ON -DDUALMEM_LAYOUTS=1 -DDUALMEM_EMULATE=OFF \
	  -DDUALMEM_SANITIZE=thread >/dev/null
	@PATH="$(abspath $(BIN)):$$PATH" cmake --build build/tsan -j $(JOBS)
	@PATH="$(abspath $(BIN)):$$PATH" ctest --test-dir build/tsan --output-on-failure --no-tests=error -R 'store|bindings|memory|team|spread|decay|formation|snapshot|graph|player|threads|test_index$$' \
	  -E '(snapshot_damage|snapshot_associations|formation_linkage|store_lookup_products|store_lookup_file|graph_churn|graph_image|test_graph)$$' # one thread each

soak: $(TEST_BUILD)/build.ninja ## a million nodes come and go, then minutes of everything at once: make soak SOAK_SECONDS=300
	@PATH="$(abspath $(BIN)):$$PATH" cmake --build $(TEST_BUILD) -j $(JOBS) --target soak
	@$(TEST_BUILD)/soak $(SOAK_CYCLES) $(SOAK_SECONDS) $(SOAK_THREADS)

py-test: $(VENV)/tested c-test ## the Python tests
	@DUALMEM_TEST_BUILD=$(abspath $(TEST_BUILD)) $(BIN)/python -m pytest

check: lint ## the quick checks only

test: lint c-test test-neon sanitize py-test ## every check
	@$(BIN)/python native/tests/variants.py $(TEST_BUILD) $(NEON_BUILD)

wheel: build ## a wheel that works outside of the checkout, in dist/
	@$(BIN)/python -m pip wheel -q --no-deps -w dist .

clean: ## remove what was built; records and baselines stay
	rm -rf build dist $(VENV)
