/* Files without names and a place for scratch files, for tests of what reads files. */
#ifndef TESTS_UNIT_API_FILES_H
#define TESTS_UNIT_API_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/file/file.h"
#include "service/expr/recipe.h"
#include "service/scratch.h"
#include "store/base/log.h"
#include "store/store.h"
#include "tests/support/unit.h"

struct files {
    char *directory;
    struct store *store;
    struct service *service;
    struct scratch *scratch;
};

static inline void
files_check(enum err_code code, const struct err *err)
{
    if (code == OK)
        return;
    fprintf(stderr, "no files to test with: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static inline void
files_start(struct files *f)
{
    struct store_config config;
    struct service_limits limits = service_limits_default();
    struct err err = ERR_INIT;

    log_set_level(LOG_ERROR);
    *f = (struct files){.directory = unit_temp_dir()};
    config = store_config_default(f->directory);
    config.map_size_bytes = unit_map_bytes();
    config.force_file_system = true;
    config.recipe_make = recipe_make;
    files_check(store_open(&config, &f->store, &err), &err);
    files_check(service_open(f->store, &limits, &f->service, &err), &err);
    files_check(scratch_open(f->service, &f->scratch, &err), &err);
}

static inline void
files_stop(struct files *f)
{
    scratch_drop(f->scratch);
    service_close(f->service);
    store_close(f->store);
    unit_temp_dir_remove(f->directory);
}

/* A file of these bytes: close its descriptor. */
static inline struct api_file
files_of(struct bytes bytes)
{
    int descriptor = memfd_create("test", MFD_CLOEXEC);

    if (descriptor < 0 || write(descriptor, bytes.data, bytes.size) != (ssize_t)bytes.size) {
        perror("memfd_create");
        exit(EXIT_FAILURE);
    }
    return (struct api_file){.descriptor = descriptor, .size = bytes.size};
}

#endif
