# Tensorkeep. `make help` lists the targets.
#
#   make run     install what is missing, build, serve on 127.0.0.1:7840 with data in ./data
#   make test    install what the tests need, then run everything
#
# VARIANT picks a build tree of its own: release (default), debug, asan, tsan, valgrind.
# T=word narrows any test target. V=1 shows the commands.

VARIANT ?= release
B       := build/$(VARIANT)
CC      ?= gcc
PYTHON  ?= /usr/bin/python3
Q       := $(if $(V),,@)
T       ?=

STD     := -std=c11 -D_GNU_SOURCE
WERROR  ?= -Werror
WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wpointer-arith -Wcast-align -Wwrite-strings -Wformat=2 -Wundef \
           -Wswitch-enum -Wvla -Wno-variadic-macros -Wno-gnu-zero-variadic-macro-arguments $(WERROR)
# Bits of seeded random numbers and of optimizers depend on these two: no fused multiply-add, no fast-math.
NUMERIC := -ffp-contract=off -fno-fast-math

CFLAGS_release  := -O2 -g -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fno-omit-frame-pointer
CFLAGS_debug    := -O0 -g3
CFLAGS_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan     := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_valgrind := -O1 -g
LDFLAGS_release := -Wl,-z,relro,-z,now

PKGS      := libmicrohttpd jansson openblas lmdb nettle
PKG_FLAGS  = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS       = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread -lm

COMPILE  = $(CC) -I. $(STD) $(WARN) $(NUMERIC) -fPIE $(CFLAGS_$(VARIANT)) $(PKG_FLAGS) $(CPPFLAGS) $(CFLAGS)
LINK     = $(CC) -pie $(CFLAGS_$(VARIANT)) $(LDFLAGS_$(VARIANT)) $(CFLAGS) $(LDFLAGS)

STORE   := $(wildcard store/base/*.c store/*.c store/*/*.c)
STORE   := $(sort $(STORE))
SERVICE := $(filter-out service/main.c,$(sort $(wildcard service/*.c service/*/*.c)))
API     := $(sort $(wildcard api/*.c api/*/*.c))
SUPPORT := $(wildcard tests/support/*.c)
obj      = $(patsubst %.c,$(B)/%.o,$(1))

UNIT     := $(foreach d,base store service api,$(wildcard tests/unit/$(d)/test_*.c))
UNIT     := $(if $(T),$(filter %$(T)%,$(UNIT)) $(foreach u,$(UNIT),$(if $(findstring $(T),$(u)),$(u))),$(UNIT))
UNIT     := $(sort $(UNIT))
UNIT_BIN := $(patsubst %.c,$(B)/%,$(UNIT))

.PHONY: all run test check unit http lint format tidy asan tsan valgrind crash fuzz bench bench-store \
        install clean help deps deps-test FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: build/tensorkeep ## build the server: build/tensorkeep

build/tensorkeep: $(B)/tensorkeep FORCE
	@cmp -s $< $@ || cp $< $@

$(B)/tensorkeep: $(call obj,service/main.c) $(B)/libapi.a $(B)/libservice.a $(B)/libstore.a
	@echo "link $@"
	$(Q)$(LINK) -o $@ $^ $(LIBS)

# One archive per layer: an upward call does not link.
$(B)/libstore.a:   $(call obj,$(STORE))
$(B)/libservice.a: $(call obj,$(SERVICE))
$(B)/libapi.a:     $(call obj,$(API))
$(B)/libsupport.a: $(call obj,$(SUPPORT))
$(B)/lib%.a:
	@echo "ar   $@"
	$(Q)rm -f $@ && ar rcs $@ $^

# Recompile when the flags differ; dependencies lie beside the object.
$(B)/.flags: FORCE
	@mkdir -p $(B); echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' >$@

$(B)/%.o: %.c $(B)/.flags
	@mkdir -p $(@D)
	@echo "cc   $<"
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call obj,$(STORE) $(SERVICE) $(API) $(SUPPORT) $(UNIT) service/main.c))

# --- tests: a unit test links its own layer and those below it ---------------------------------

LAYERS_base    := $(B)/libstore.a
LAYERS_store   := $(B)/libstore.a
LAYERS_service := $(B)/libservice.a $(B)/libstore.a
LAYERS_api     := $(B)/libapi.a $(B)/libservice.a $(B)/libstore.a
layer_of        = $(LAYERS_$(word 3,$(subst /, ,$(1))))

define unit_rule
$(B)/$(1:.c=): $(call obj,$(1)) $(B)/libsupport.a $(call layer_of,$(1))
	@echo "link $$@"
	$$(Q)$$(LINK) -o $$@ $$^ $$(LIBS) -lcmocka
endef
$(foreach u,$(UNIT),$(eval $(call unit_rule,$(u))))

RUNNER_valgrind := valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite

# A passed test is a file: parallel, and run again only when something changed.
$(B)/%.ok: $(B)/%
	@TENSORKEEP_TEST_MAP_BYTES=$(MAP_$(VARIANT)) $(RUNNER_$(VARIANT)) ./$< >$@.log 2>&1 && mv $@.log $@ && echo "ok   $*" || { cat $@.log; exit 1; }
MAP_tsan     := 1073741824
MAP_valgrind := 4294967296

unit: $(addsuffix .ok,$(UNIT_BIN)) ## unit tests

clean: ## remove what was built
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16
