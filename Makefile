# Tensorkeep. `make help` lists the targets.
#
#   make run     install what is missing, build, serve on 127.0.0.1:7840 with data in ./data
#   make test    install what the tests need, then run everything
#
# VARIANT picks a build tree of its own: release (default), debug, asan, tsan, valgrind, cover, fuzz.
# T=word narrows any test target. V=1 shows the commands. WERROR= forgives warnings.

VARIANT ?= release
B       := build/$(VARIANT)
Q       := $(if $(V),,@)
T       ?=
PYTHON  ?= /usr/bin/python3
PREFIX  ?= /usr/local
ROUNDS  ?= 12
SECONDS_EACH ?= 60
ifeq ($(origin CC),default)
CC      := $(if $(filter fuzz,$(VARIANT)),clang,gcc)
endif

STD     := -std=c11 -D_GNU_SOURCE
WERROR  ?= -Werror
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wpointer-arith -Wcast-align -Wwrite-strings -Wformat=2 -Wundef \
           -Wswitch-enum -Wvla -Wno-variadic-macros $(WERROR)
# Bits of seeded random numbers and of optimizers depend on these two: no fused multiply-add, no
# fast-math.
NUMERIC := -ffp-contract=off -fno-fast-math
UBSAN   := undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CFLAGS_release  := -O2 -g -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fno-omit-frame-pointer
CFLAGS_debug    := -O0 -g3
CFLAGS_asan     := -O1 -g -fsanitize=address,$(UBSAN)
CFLAGS_tsan     := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_valgrind := -O1 -g
CFLAGS_cover    := -O0 -g --coverage -fprofile-update=atomic
CFLAGS_fuzz     := -O1 -g -fsanitize=fuzzer-no-link,address,$(UBSAN)
LDFLAGS_release := -Wl,-z,relro,-z,now

# Asked once. Before `make deps` there may be no pkg-config; the build runs in a make of its own after it.
PKGS      := libmicrohttpd jansson openblas lapacke lmdb nettle gnutls snappy libarchive zlib
PKG_FLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS      := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm

COMPILE  = $(CC) -I. $(STD) $(WARN) $(NUMERIC) -fPIE $(CFLAGS_$(VARIANT)) $(PKG_FLAGS) $(CPPFLAGS) $(CFLAGS)
LINK     = $(CC) -pie $(CFLAGS_$(VARIANT)) $(LDFLAGS_$(VARIANT)) $(CFLAGS) $(LDFLAGS)

STORE   := $(sort $(wildcard store/base/*.c store/*.c store/*/*.c))
SERVICE := $(filter-out service/main.c,$(sort $(wildcard service/*.c service/*/*.c)))
API     := $(sort $(wildcard api/*.c api/*/*.c))
SUPPORT := $(sort $(wildcard tests/support/*.c))
chosen   = $(sort $(if $(T),$(foreach f,$(1),$(if $(findstring $(T),$(f)),$(f))),$(1)))
UNIT    := $(call chosen,$(wildcard tests/unit/*/test_*.c))
FUZZ    := $(call chosen,$(wildcard tests/fuzz/*.c))
BENCH   := $(sort $(wildcard tests/bench/*.c))
SOURCES := $(STORE) $(SERVICE) $(API) $(SUPPORT) $(wildcard service/main.c)
FORMAT   = $(shell find api service store tests openapi -path '*/node_modules' -prune -o -name '*.[ch]' -print)
obj      = $(patsubst %.c,$(B)/%.o,$(1))
bin      = $(patsubst %.c,$(B)/%,$(1))
quote    = '$(subst ','\'',$(1))'
# Parallel unless the caller has decided.
JOBS     = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
SUBMAKE  = $(MAKE) --no-print-directory $(JOBS)

.PHONY: all run test suite check unit http recorded conformance fuzz-contract lint format format-check tidy asan tsan valgrind cover \
        crash linear crash-short fuzz fuzz-run fuzz-regressions fuzz-replay bench bench-store bench-compute install clean help \
        deps deps-test deps-clients deps-deb deps-docker deb deb-test docker-test FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: build/tensorkeep ## build the server: build/tensorkeep

run: deps ## install what is missing, build, serve on 127.0.0.1:7840, data in ./data
	+@$(SUBMAKE) all
	@exec build/tensorkeep --data ./data --bind 127.0.0.1 --port 7840

# --- building ----------------------------------------------------------------------------------

build/tensorkeep: $(B)/tensorkeep FORCE
	@cmp -s $< $@ || { cp $< $@.new && mv $@.new $@; }

$(B)/tensorkeep: $(call obj,service/main.c) $(B)/libapi.a $(B)/libservice.a $(B)/libstore.a
	@echo "link $@"
	$(Q)$(LINK) -o $@ $^ $(LIBS)

# One archive per layer: an upward call does not link. The list of members is a prerequisite, so that a
# file taken away leaves its archive.
OBJECTS_base    := $(call obj,$(wildcard store/base/*.c))
OBJECTS_store   := $(call obj,$(STORE))
OBJECTS_service := $(call obj,$(SERVICE))
OBJECTS_api     := $(call obj,$(API))
OBJECTS_support := $(call obj,$(SUPPORT))
$(B)/libbase.a:    $(OBJECTS_base)
$(B)/libstore.a:   $(OBJECTS_store)
$(B)/libservice.a: $(OBJECTS_service)
$(B)/libapi.a:     $(OBJECTS_api)
$(B)/libsupport.a: $(OBJECTS_support)
$(B)/lib%.a: $(B)/%.list
	@echo "ar   $@"
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)
$(B)/%.list: FORCE
	@mkdir -p $(B); echo $(OBJECTS_$*) | cmp -s - $@ || echo $(OBJECTS_$*) >$@

# Recompile when the flags differ; dependencies lie beside the object.
FLAGS = $(call quote,$(COMPILE) : $(LINK) : $(LIBS))
$(B)/.flags: FORCE
	@mkdir -p $(B); printf '%s\n' $(FLAGS) | cmp -s - $@ || printf '%s\n' $(FLAGS) >$@

# The OpenAPI document goes into the program as it is, as JSON, as a page, and packed. The same for every variant.
DOCUMENT := $(addprefix build/openapi/,openapi.yaml openapi.json docs.html openapi.yaml.gz openapi.json.gz docs.html.gz)
build/openapi/yaml_to_json build/openapi/json_to_html: build/openapi/%: openapi/%.c
	@mkdir -p $(@D)
	@echo "link $@"
	$(Q)$(CC) $(STD) $(WARN) -O1 -g -o $@ $< $(shell pkg-config --cflags --libs yaml-0.1 jansson)
build/openapi/openapi.yaml: openapi/openapi.yaml
	@mkdir -p $(@D)
	@cp $< $@
build/openapi/openapi.json: openapi/openapi.yaml build/openapi/yaml_to_json
	@build/openapi/yaml_to_json $< $@
build/openapi/docs.html: build/openapi/openapi.json build/openapi/json_to_html
	@build/openapi/json_to_html $< $@
build/openapi/%.gz: build/openapi/%
	@gzip -9nc $< >$@
$(call obj,api/handlers/document.c): $(DOCUMENT)
$(call obj,api/handlers/document.c): private CPPFLAGS += -Wa,-Ibuild/openapi

# Square roots without errno are one instruction, of which loops can do several at a time.
$(call obj,$(wildcard service/optimizers/*.c)): private NUMERIC += -fno-math-errno

$(B)/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	@echo "cc   $<"
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call obj,$(SOURCES) $(UNIT) $(FUZZ) $(BENCH)))

# --- tests: a unit test links its own layer and those below it ---------------------------------

LINK_TEST = @echo "link $@"; $(if $(V),set -x;) $(LINK) -o $@ $^ $(LIBS)
unit_bin  = $(filter $(B)/tests/unit/$(1)/%,$(call bin,$(UNIT)))

$(call unit_bin,base): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libbase.a
	$(LINK_TEST) -lcmocka
$(call unit_bin,store): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libstore.a
	$(LINK_TEST) -lcmocka
$(call unit_bin,service): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libservice.a $(B)/libstore.a
	$(LINK_TEST) -lcmocka
$(call unit_bin,api): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libapi.a $(B)/libservice.a $(B)/libstore.a
	$(LINK_TEST) -lcmocka
$(call bin,$(BENCH)): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libservice.a $(B)/libstore.a
	$(LINK_TEST)
$(call bin,$(FUZZ)): $(B)/%: $(B)/%.o $(B)/libsupport.a $(B)/libapi.a $(B)/libservice.a $(B)/libstore.a
	$(LINK_TEST) -fsanitize=fuzzer

# Memory maps shrink under the tools that shadow memory. ThreadSanitizer dislikes a randomized layout.
MAP_tsan        := 1073741824
MAP_valgrind    := 4294967296
RUNNER_tsan     := $(if $(filter tsan,$(VARIANT)),$(shell setarch -R true 2>/dev/null && echo setarch -R))
RUNNER_valgrind := env TENSORKEEP_TEST_SLOW_TOOL=1 valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
                   --errors-for-leak-kinds=definite
# A container's own file system is good enough to try and to test on; the server would ask for a flag.
ifneq ($(filter-out ext2/ext3 xfs btrfs zfs f2fs tmpfs,$(shell stat -f -c %T . $(or $(TMPDIR),/tmp) 2>/dev/null)),)
export TENSORKEEP_FORCE_FILE_SYSTEM ?= 1
endif
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS  ?= halt_on_error=1 suppressions=$(CURDIR)/tests/support/tsan.supp

# A passed test is a file: parallel, and run again only when something changed.
$(B)/%.ok: $(B)/%
	@TENSORKEEP_TEST_MAP_BYTES=$(MAP_$(VARIANT)) $(RUNNER_$(VARIANT)) ./$< >$@.log 2>&1 \
	    && mv $@.log $@ && echo "ok   $*" || { cat $@.log; echo "FAIL $*"; rm -f $@; exit 1; }

unit: $(addsuffix .ok,$(call bin,$(UNIT))) ## unit tests

http: $(B)/tensorkeep ## black-box tests against a real server
	@$(black_box) $(if $(T),--only $(T))
black_box = TENSORKEEP_TEST_MAP_BYTES=$(MAP_$(VARIANT)) $(PYTHON) tests/http/run.py --server $(B)/tensorkeep

# The document against routes, settings, the linter, its own samples and workflows, random requests, and every exchange of the
# black-box suite, which is recorded for it: in `make suite` that is where the suite runs.
RECORDING := $(B)/recording
REQUESTS  ?= 20000
SEED      ?= 1
conformance: $(B)/tensorkeep $(if $(T),$(if $(findstring recorded,$(T)),$(RECORDING)/.done),$(RECORDING)/.done) openapi/node_modules/.done ## openapi/openapi.yaml against all that it speaks of
	@node openapi/tools/conformance.mjs --server $< --recording $(RECORDING) --requests $(REQUESTS) --seed $(SEED) $(if $(T),--only $(T))
recorded: $(B)/tensorkeep ## black-box tests, their exchanges recorded for conformance
	@rm -rf $(RECORDING) && mkdir -p $(RECORDING) && touch $(RECORDING)/.begun
	@TENSORKEEP_RECORD=$(RECORDING) $(black_box) && failed= || failed=1; mv $(RECORDING)/.begun $(RECORDING)/.done; test -z "$$failed"
$(RECORDING)/.done: $(B)/tensorkeep $(wildcard tests/http/*.py)
	+@$(SUBMAKE) recorded
openapi/node_modules/.done: openapi/package.json openapi/package-lock.json
	@cd openapi && npm ci --no-update-notifier >/dev/null && touch node_modules/.done
fuzz-contract: $(B)/tensorkeep openapi/node_modules/.done ## the document's promises under random requests: REQUESTS=200000 SEED=7
	@node openapi/tools/fuzz.mjs --server $< --requests $(REQUESTS) $(if $(filter command line environment,$(origin SEED)),--seed $(SEED))

test: deps-test ## install what the tests need, build, then every kind of test
	+@$(SUBMAKE) all
	+@$(SUBMAKE) suite

# Stage after stage, all of them, so that one run tells everything.
suite:
	+@failed=; for stage in unit recorded conformance lint fuzz-regressions crash-short; do \
	    $(SUBMAKE) -k $$stage || failed="$$failed $$stage"; done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; echo "all tests passed"

check: test ## what must pass before a commit
	+@$(SUBMAKE) format-check

lint: $(B)/tensorkeep ## layers, names, sizes, banned calls, registries, paths
	@failed=; for script in layers symbols sizes banned registry paths; do \
	    B=$(B) bash tests/lint/$$script.sh \
	        && echo "ok   lint/$$script" || { echo "FAIL lint/$$script"; failed=1; }; done; test -z "$$failed"

format: ## let clang-format decide layout
	clang-format -i $(FORMAT)
format-check: ## fail when clang-format would change something
	@clang-format --dry-run -Werror $(FORMAT) && echo "ok   format"
TIDY := -*,clang-analyzer-*,-clang-analyzer-security.insecureAPI.*,bugprone-*,-clang-analyzer-valist.Uninitialized,$\
        -bugprone-implicit-widening-of-multiplication-result,$\
        -bugprone-easily-swappable-parameters,-bugprone-macro-parentheses,-bugprone-sizeof-expression,-bugprone-not-null-terminated-result,$\
        -bugprone-branch-clone
tidy: ## clang-tidy, for advice: its analyzer and its list of common bugs
	clang-tidy --quiet --checks='$(TIDY)' $(SOURCES) -- -I. $(STD) $(PKG_FLAGS)

asan: ## unit and black box under the address and undefined-behaviour sanitizers
	+@$(SUBMAKE) VARIANT=asan unit && $(SUBMAKE) VARIANT=asan http
tsan: ## unit and black box under the thread sanitizer
	+@$(SUBMAKE) VARIANT=tsan unit && $(SUBMAKE) VARIANT=tsan http
valgrind: ## unit under valgrind
	+@$(SUBMAKE) VARIANT=valgrind unit

cover: ## lines run by unit and black box, file by file
	@test ! -d build/cover || find build/cover \( -name '*.gcda' -o -name '*.ok' \) -delete
	+@$(SUBMAKE) VARIANT=cover CC=gcc unit http
	@find build/cover/api build/cover/service build/cover/store -name '*.gcda' | xargs gcov -n 2>/dev/null | \
	    awk -F"'" '/^File/ { file = $$2 } /^Lines executed/ && file ~ /\.c$$/ { \
	        split($$0, part, /[:% ]+/); printf "%6.1f%% of %4d  %s\n", part[3], part[5], file; \
	        run += part[3] * part[5] / 100; lines += part[5]; file = "" } \
	        END { printf "%6.1f%% of %4d  all\n", lines ? 100 * run / lines : 0, lines }' | sort -k4

crash: $(B)/tensorkeep ## kill -9 under load, then verify: ROUNDS=12
	@$(PYTHON) tests/crash/kill.py --server $< --rounds $(ROUNDS)
linear: $(B)/tensorkeep ## clients at once and kill -9, then one order of all of it: ROUNDS=12
	@$(PYTHON) tests/crash/history_faults.py
	@$(PYTHON) tests/crash/linear.py --server $< --rounds $(ROUNDS)
crash-short:
	+@$(SUBMAKE) crash ROUNDS=3
	+@$(SUBMAKE) linear ROUNDS=4

fuzz: ## fuzz T=target (or all) for SECONDS_EACH=60 each
	+@$(SUBMAKE) VARIANT=fuzz fuzz-run
fuzz-run: $(call bin,$(FUZZ))
	@for f in $(notdir $^); do mkdir -p $(B)/found/$$f tests/fuzz/corpus/$$f; echo "fuzz $$f"; \
	    $(B)/tests/fuzz/$$f -max_total_time=$(SECONDS_EACH) -timeout=10 -rss_limit_mb=2048 \
	        -artifact_prefix=$(B)/found/$$f- $(B)/found/$$f tests/fuzz/corpus/$$f || exit 1; done
fuzz-regressions: ## replay every known input once
	+@$(SUBMAKE) VARIANT=fuzz fuzz-replay
fuzz-replay: $(addsuffix .replayed,$(call bin,$(FUZZ)))
$(B)/tests/fuzz/%.replayed: $(B)/tests/fuzz/% FORCE
	@find tests/fuzz/regression/$* tests/fuzz/corpus/$* -type f 2>/dev/null | sort >$@.inputs; \
	xargs -r -n 1000 ./$< -timeout=10 -rss_limit_mb=2048 -artifact_prefix=$(B)/ <$@.inputs >$@.log 2>&1 \
	    && mv $@.inputs $@ && echo "ok   fuzz/$* ($$(wc -l <$@) inputs)" \
	    || { tail -40 $@.log; echo "FAIL fuzz/$*"; exit 1; }

bench: all $(addprefix $(B)/tests/bench/,draws optimizers environments) ## how fast, as JSON
	$(PYTHON) tests/bench/run.py --server build/tensorkeep
bench-store: $(addprefix $(B)/tests/bench/,store rows) ## how fast the store alone is
	./$(B)/tests/bench/store
	./$(B)/tests/bench/rows
bench-compute: $(addprefix $(B)/tests/bench/,elementwise differences statistics matmul draws optimizers) ## how fast expressions are, beside memory, BLAS, NumPy, PyTorch
	./$(B)/tests/bench/elementwise
	./$(B)/tests/bench/differences
	./$(B)/tests/bench/statistics
	./$(B)/tests/bench/matmul
	$(PYTHON) tests/bench/run.py --server build/tensorkeep --only random
	$(PYTHON) tests/bench/run.py --server build/tensorkeep --only optimizers

# --- house -------------------------------------------------------------------------------------

install: all ## to $(DESTDIR)$(PREFIX)/bin
	install -D -m 755 build/tensorkeep $(DESTDIR)$(PREFIX)/bin/tensorkeep

deb: deps deps-deb ## a Debian package: build/tensorkeep_VERSION_ARCH.deb
	+@$(SUBMAKE) all
	@bash docker/package/deb.sh build/tensorkeep build
deb-test: deps deps-docker ## install it in a Debian of its own, run it, purge it (root)
	+@$(SUBMAKE) all
	@bash docker/base.sh build/docker/debian
	@bash docker/package/test.sh "$$(bash docker/package/deb.sh build/tensorkeep build)" build/docker/debian
docker-test: deps-docker ## build the image without an engine, run it, stop it; its size; compose.yaml (root)
	@$(PYTHON) docker/check.py
	@bash docker/test.sh build/docker

clean: ## remove what was built
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 20

RUN_DEPS  := gcc libc6-dev pkg-config libmicrohttpd-dev libjansson-dev libopenblas-dev liblapacke-dev liblmdb-dev nettle-dev libgnutls28-dev libsnappy-dev libarchive-dev zlib1g-dev libyaml-dev
TEST_DEPS := $(RUN_DEPS) libcmocka-dev python3 python3-numpy python3-sklearn valgrind clang libclang-rt-14-dev clang-format curl openssl gnutls-bin
CLIENT_DEPS := golang-go

DEB_DEPS    := dpkg-dev
DOCKER_DEPS := $(DEB_DEPS) debootstrap buildah curl python3 python3-yaml

deps: ## install what building needs (Debian 12)
	@$(call install_missing,$(RUN_DEPS))
deps-test: ## install what testing needs (Debian 12)
	@$(call install_missing,$(TEST_DEPS) $(shell command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm))
	@$(call unpack_missing,prometheus)
deps-clients: ## install Go, for one client example more (0.5 GB); its library is compiled once, here
	@$(call install_missing,$(CLIENT_DEPS))
	@cd openapi/clients && GOTOOLCHAIN=local go build -o /dev/null tensorkeep.go

# Packages that would start a service when installed: unpacked for the tests alone, which do without where that fails.
TOOLS := build/tools
define unpack_missing
command -v $(1) >/dev/null || test -x $(TOOLS)/usr/bin/$(1) || ! command -v dpkg-deb >/dev/null || \
    { mkdir -p $(TOOLS) && cd $(TOOLS) && rm -f $(1)_*.deb && apt-get download $(1) && dpkg-deb -x $(1)_*.deb . && rm -f $(1)_*.deb; } || \
    echo "$(1) is not to be had: its tests are skipped"
endef
deps-deb:
	@$(call install_missing,$(DEB_DEPS))
deps-docker: ## install what deb-test and docker-test need (Debian 12)
	@$(call install_missing,$(DOCKER_DEPS))

# Quick and silent when everything is there. As root or with sudo it installs, otherwise it says how.
define install_missing
command -v dpkg-query >/dev/null || { echo "not Debian; needed are its packages, or their like: $(1)"; exit 0; }; \
have=$$(echo $$(dpkg-query -W -f='$${Package}:$${db:Status-Status} ' $(1) 2>/dev/null)); missing=; \
for package in $(1); do \
    case " $$have " in *" $$package:installed "*) ;; *) missing="$$missing $$package" ;; esac; done; \
test -n "$$missing" || exit 0; \
if [ "$$(id -u)" = 0 ]; then sudo=; \
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then sudo=sudo; \
else echo "missing:$$missing"; echo "run: sudo apt-get update && sudo apt-get install -y$$missing"; exit 1; fi; \
install="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends$$missing"; \
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || $$sudo apt-get update || exit 1; \
$$install || { $$sudo apt-get update && $$install; }
endef
