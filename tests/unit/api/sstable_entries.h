/* The entries of a table, kept to be looked at. */
#ifndef TESTS_UNIT_API_SSTABLE_ENTRIES_H
#define TESTS_UNIT_API_SSTABLE_ENTRIES_H

#include "api/file/sstable_read.h"
#include "store/base/arena.h"
#include "tests/unit/api/files.h"

enum { SSTABLE_ENTRIES_MAX = 40000 };

struct sstable_entries {
    struct arena arena;
    size_t count;
    struct bytes keys[SSTABLE_ENTRIES_MAX], values[SSTABLE_ENTRIES_MAX];
};

static inline struct bytes
sstable_entries_copy(struct sstable_entries *entries, struct bytes bytes)
{
    struct err err = ERR_INIT;
    void *copy = arena_alloc(&entries->arena, bytes.size, &err);

    files_check(err.code, &err);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return bytes_of(copy, bytes.size);
}

/* The value by its place; what is at hand must be the same. */
static inline enum err_code
sstable_entries_take(void *context, const struct api_sstable_entry *entry, struct err *err)
{
    struct sstable_entries *entries = context;
    struct bytes value;
    void *room;

    if (entries->count == SSTABLE_ENTRIES_MAX)
        return err_set(err, ERR_INTERNAL, "a test table has too many entries");
    room = arena_alloc(&entries->arena, (size_t)entry->value.size, err);
    if (room == NULL)
        return ERR_NO_MEMORY;
    TRY(api_file_read(&entry->value, 0, room, (size_t)entry->value.size, err));
    value = bytes_of(room, (size_t)entry->value.size);
    if (entry->bytes.data == NULL ? value.size <= API_SSTABLE_AT_HAND_BYTES_MAX
                                  : !bytes_equal(entry->bytes, value))
        return err_set(err, ERR_INTERNAL, "a value at hand is not the one at its place");
    entries->keys[entries->count] = sstable_entries_copy(entries, entry->key);
    entries->values[entries->count++] = value;
    return OK;
}

/* Drop with sstable_entries_free, also after an error. */
static inline enum err_code
sstable_entries_read(const struct files *f, struct bytes table, struct sstable_entries **out,
                     struct err *err)
{
    struct api_sstable sstable = {.file = files_of(table),
                                  .scratch = f->scratch,
                                  .block_bytes_max = 64 << 20,
                                  .unpacked_bytes_max = 64 << 20};
    enum err_code code;

    *out = calloc(1, sizeof **out);
    if (*out == NULL)
        return ERR_NO_MEMORY;
    arena_init(&(*out)->arena, 256 << 20);
    code = api_sstable_read(&sstable, sstable_entries_take, *out, err);
    close(sstable.file.descriptor);
    return code;
}

static inline void
sstable_entries_free(struct sstable_entries *entries)
{
    arena_drop(&entries->arena);
    free(entries);
}

#endif
