/* What fuzz targets of formats share: files out of bytes, a place for scratch files, and a
 * checkpoint read to its end. */
#ifndef TESTS_FUZZ_READING_H
#define TESTS_FUZZ_READING_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/json/text.h"
#include "api/wire/format.h"
#include "service/expr/recipe.h"
#include "store/base/check.h"
#include "store/base/log.h"
#include "store/store.h"
#include "tests/support/unit.h"

enum {
    READING_ARENA_BYTES = 64 << 20,
    READING_UNPACKED_BYTES = 4 << 20,
    READING_TENSOR_BYTES = 1 << 20, /* as much is read of each */
    READING_FILES_MAX = 8,
};

static const struct api_wire_limits reading_limits = {.bytes_max = READING_UNPACKED_BYTES,
                                                      .tensors_max = 1000,
                                                      .memory_bytes_max = READING_UNPACKED_BYTES};

static char *reading_directory;
static struct store *reading_store;
static struct service *reading_service;

static inline void
reading_stop(void)
{
    service_close(reading_service);
    store_close(reading_store);
    unit_temp_dir_remove(reading_directory);
}

/* A store for scratch files, opened once. */
static inline void
reading_start(void)
{
    struct store_config config;
    struct service_limits limits = service_limits_default();

    if (reading_service != NULL)
        return;
    log_set_level(LOG_ERROR);
    reading_directory = unit_temp_dir();
    config = store_config_default(reading_directory);
    config.map_size_bytes = (uint64_t)64 << 20;
    config.force_file_system = true;
    config.recipe_make = recipe_make;
    CHECK(store_open(&config, &reading_store, NULL) == OK);
    CHECK(service_open(reading_store, &limits, &reading_service, NULL) == OK);
    CHECK(atexit(reading_stop) == 0);
}

/* One input of a target. */
struct reading {
    struct arena arena;
    struct scratch *scratch;
    struct api_file_set set;
    struct api_wire_input input;
    struct api_wire_reader reader;
    int descriptors[READING_FILES_MAX];
    size_t descriptor_count;
};

static inline void
reading_init(struct reading *r)
{
    reading_start();
    *r = (struct reading){.scratch = NULL};
    arena_init(&r->arena, READING_ARENA_BYTES);
    CHECK(scratch_open(reading_service, &r->scratch, NULL) == OK);
    r->input = (struct api_wire_input){.service = reading_service,
                                       .arena = &r->arena,
                                       .limits = &reading_limits,
                                       .stream_size = UINT64_MAX,
                                       .files = &r->set,
                                       .scratch = r->scratch,
                                       .tensor = "arr_0"};
}

static inline void
reading_drop(struct reading *r)
{
    api_wire_reader_drop(&r->reader);
    scratch_drop(r->scratch);
    for (size_t i = 0; i < r->descriptor_count; i++)
        close(r->descriptors[i]);
    arena_drop(&r->arena);
}

static inline struct api_file
reading_file(struct reading *r, const uint8_t *data, size_t size)
{
    int descriptor = memfd_create("fuzz", MFD_CLOEXEC);

    CHECK(descriptor >= 0 && r->descriptor_count < READING_FILES_MAX);
    CHECK(write(descriptor, data, size) == (ssize_t)size);
    r->descriptors[r->descriptor_count++] = descriptor;
    return (struct api_file){.descriptor = descriptor, .size = size};
}

static inline void
reading_add(struct reading *r, const char *name, const uint8_t *data, size_t size)
{
    struct api_file file = reading_file(r, data, size);

    CHECK(api_file_set_add(&r->set, &r->arena, bytes_of_text(name), &file, NULL) == OK);
}

/* --- oracles -------------------------------------------------------------------------------- */

static inline void
reading_check_tensor(const struct api_wire_tensor *tensor)
{
    CHECK(tensor->type.dtype < DTYPE_COUNT && shape_check(&tensor->type.shape, NULL) == OK);
    CHECK(api_utf8_valid(tensor->name));
    CHECK(tensor->name.size == 0 || memchr(tensor->name.data, '\0', tensor->name.size) == NULL);
    if (tensor->type.dtype == DTYPE_STRING)
        CHECK(tensor->size / 4 >= shape_count(&tensor->type.shape));
    else
        CHECK(tensor->size == tensor_type_bytes(&tensor->type));
}

/* All of a tensor that is not too large, in pieces. *whole says whether it was. */
static inline enum err_code
reading_tensor(struct reading *r, const struct api_wire_tensor *tensor, bool *whole,
               struct err *err)
{
    uint64_t size = tensor->size < READING_TENSOR_BYTES ? tensor->size : READING_TENSOR_BYTES;
    uint8_t *bytes = malloc((size_t)size + 1);
    enum err_code code = OK;

    *whole = size == tensor->size;
    CHECK(bytes != NULL);
    for (uint64_t at = 0, step = 13; at < size && code == OK; at += step, step = step * 5 + 1) {
        if (step > size - at)
            step = size - at;
        code = r->reader.source.read(r->reader.source.context, bytes + at, (size_t)step, err);
    }
    if (code == OK && *whole && tensor->type.dtype == DTYPE_STRING)
        CHECK(tensor_strings_check(bytes_of(bytes, (size_t)size), shape_count(&tensor->type.shape),
                                   NULL) == OK);
    free(bytes);
    return code;
}

/* What there is, and all of its bytes. An error has words. */
static inline void
reading_through(struct reading *r, const struct api_wire_format *format)
{
    const struct api_wire_catalog *catalog = &r->reader.catalog;
    struct err err = ERR_INIT;
    enum err_code code = format->open(&r->input, &r->reader, &err);
    bool whole = true;

    for (size_t i = 0; code == OK && i < catalog->refused_count; i++)
        CHECK(catalog->refused[i].reason != NULL && catalog->refused[i].reason[0] != '\0');
    for (size_t i = 0; code == OK && i < 2 * catalog->metadata_count; i++)
        CHECK(api_utf8_valid(catalog->metadata[i]));
    for (size_t i = 0; code == OK && i < catalog->count; i++)
        reading_check_tensor(&catalog->tensors[i]);
    for (size_t i = 0; code == OK && whole && i < catalog->count; i++)
        code = reading_tensor(r, &catalog->tensors[i], &whole, &err);
    CHECK(code == err.code && (code == OK) == (err.text[0] == '\0'));
}

#endif
