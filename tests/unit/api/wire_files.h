/* Sets of tensors read from files in memory and written to them, without a server. */
#ifndef TESTS_UNIT_API_WIRE_FILES_H
#define TESTS_UNIT_API_WIRE_FILES_H

#include <dirent.h>
#include <stddef.h>

#include "api/wire/format.h"
#include "tests/support/fixture.h"
#include "tests/unit/api/files.h"

enum { WIRE_FILES_MAX = 64, WIRE_FILES_ARENA_BYTES = 256 << 20 };

/* Owned: wire_files_drop. */
struct wire_files {
    struct arena arena;
    struct api_file_set set;
    int descriptors[WIRE_FILES_MAX];
    size_t count;
    struct api_wire_limits limits;
    struct api_wire_input input;
    struct api_wire_reader reader;
    struct bytes *values; /* by the catalog's index; in the arena */
};

static inline void
wire_files_init(struct wire_files *w, const struct files *files)
{
    *w = (struct wire_files){.count = 0};
    arena_init(&w->arena, WIRE_FILES_ARENA_BYTES);
    w->limits = (struct api_wire_limits){
        .bytes_max = 1 << 30, .tensors_max = 100000, .memory_bytes_max = 256 << 20};
    w->input = (struct api_wire_input){.service = files->service,
                                       .arena = &w->arena,
                                       .limits = &w->limits,
                                       .stream_size = UINT64_MAX,
                                       .files = &w->set,
                                       .scratch = files->scratch,
                                       .tensor = "arr_0"};
}

static inline void
wire_files_drop(struct wire_files *w)
{
    api_wire_reader_drop(&w->reader);
    for (size_t i = 0; i < w->count; i++)
        close(w->descriptors[i]);
    arena_drop(&w->arena);
    *w = (struct wire_files){.count = 0};
}

static inline void
wire_files_add(struct wire_files *w, const char *name, struct bytes bytes)
{
    struct api_file file = files_of(bytes);
    struct err err = ERR_INIT;

    w->descriptors[w->count++] = file.descriptor;
    files_check(api_file_set_add(&w->set, &w->arena, bytes_of_text(name), &file, &err), &err);
}

static inline void
wire_files_add_folder(struct wire_files *w, const char *folder)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    char path[512];

    if (directory == NULL) {
        perror(folder);
        exit(EXIT_FAILURE);
    }
    while ((entry = readdir(directory)) != NULL) {
        struct fixture_file file;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        file = fixture_read(path);
        wire_files_add(w, entry->d_name, bytes_of(file.data, file.size));
        free(file.data);
    }
    closedir(directory);
}

static inline enum err_code
wire_files_open(struct wire_files *w, const struct api_wire_format *format, struct err *err)
{
    TRY(api_file_set_sort(&w->set, err));
    return format->open(&w->input, &w->reader, err);
}

/* All values, each in reads of at most `step` bytes (0: at once). */
static inline enum err_code
wire_files_read(struct wire_files *w, size_t step, struct err *err)
{
    const struct api_wire_catalog *catalog = &w->reader.catalog;

    w->values = arena_array(&w->arena, catalog->count, sizeof *w->values, err);
    if (w->values == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < catalog->count; i++) {
        size_t size = (size_t)catalog->tensors[i].size;
        uint8_t *room = arena_alloc(&w->arena, size, err);

        if (room == NULL)
            return ERR_NO_MEMORY;
        w->values[i] = bytes_of(room, size);
        for (size_t at = 0, part; at < size; at += part) {
            part = step == 0 || step > size - at ? size - at : step;
            TRY(w->reader.source.read(w->reader.source.context, room + at, part, err));
        }
    }
    return OK;
}

/* SIZE_MAX: there is none of that name. */
static inline size_t
wire_files_find(const struct wire_files *w, struct bytes name)
{
    for (size_t i = 0; i < w->reader.catalog.count; i++)
        if (bytes_equal(w->reader.catalog.tensors[i].name, name))
            return i;
    return SIZE_MAX;
}

/* The set that the values would be read back as: every one in runs of at most `run` bytes. */
static inline struct tensor_set
wire_files_set(struct wire_files *w, size_t run)
{
    const struct api_wire_catalog *catalog = &w->reader.catalog;
    struct tensor_set set = {.entry_count = catalog->count};
    size_t spans = 0;

    for (size_t i = 0; i < catalog->count; i++)
        spans += w->values[i].size / run + 1;
    set.entries = arena_array(&w->arena, catalog->count, sizeof *set.entries, NULL);
    set.spans = arena_array(&w->arena, spans, sizeof *set.spans, NULL);
    for (size_t i = 0; i < catalog->count; i++) {
        struct tensor_set_entry *entry = &set.entries[i];

        *entry =
            (struct tensor_set_entry){.name = arena_text(&w->arena, catalog->tensors[i].name, NULL),
                                      .type = catalog->tensors[i].type,
                                      .size = w->values[i].size,
                                      .position = (uint32_t)i,
                                      .shard = catalog->tensors[i].shard,
                                      .span_first = set.span_count};
        for (size_t at = 0; at < w->values[i].size; at += run)
            set.spans[set.span_count++] =
                bytes_of(w->values[i].data + at,
                         w->values[i].size - at < run ? w->values[i].size - at : run);
        entry->span_count = set.span_count - entry->span_first;
    }
    return set;
}

/* The set as `write` has it; the layout lies in the arena, and in the scratch. */
static inline enum err_code
wire_files_write(struct wire_files *w,
                 enum err_code (*write)(const struct api_wire_export *, struct api_layout *,
                                        struct err *),
                 const struct tensor_set *set, const char *name, struct api_layout *out,
                 struct err *err)
{
    size_t *order = arena_array(&w->arena, set->entry_count, sizeof *order, err);
    struct api_wire_export what = {.set = set,
                                   .order = order,
                                   .shards = w->reader.catalog.shards,
                                   .name = name,
                                   .scratch = w->input.scratch};

    if (order == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->entry_count; i++)
        order[i] = i;
    api_layout_init(out, &w->arena);
    return write(&what, out, err);
}

/* What the layout's file i holds. */
static inline struct bytes
wire_files_written(struct wire_files *w, const struct api_layout *layout, size_t i)
{
    const struct api_layout_file *file = &layout->files[i];
    uint8_t *bytes = arena_alloc(&w->arena, (size_t)file->size, NULL);
    size_t at = 0;

    for (size_t s = 0; s < file->span_count; s++) {
        struct bytes span = layout->spans[file->span_first + s];

        memcpy(bytes + at, span.data, span.size);
        at += span.size;
    }
    return bytes_of(bytes, at);
}

#endif
