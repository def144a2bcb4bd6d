/* A small V2 checkpoint, right as it is, of which tests make wrong ones. */
#ifndef TESTS_UNIT_API_TF_V2_SMALL_H
#define TESTS_UNIT_API_TF_V2_SMALL_H

#include "tests/unit/api/tf_v2_making.h"

static const uint8_t making_six[] = {1, 2, 3, 4, 5, 6};
static const struct tensor_type making_six_bytes = {DTYPE_UINT8, {.rank = 1, .dims = {6}}};

/* Numbers and strings in two shards. */
static inline struct making *
making_small(bool big_endian)
{
    static const struct tensor_type strings = {DTYPE_STRING, {.rank = 1, .dims = {3}}};
    static const struct tensor_type empty = {DTYPE_FLOAT64, {.rank = 2, .dims = {0, 7}}};
    static const struct tensor_type scalar = {DTYPE_INT32, {.rank = 0}};
    struct making *m = making_begin(2, big_endian);
    struct making_entry entry;

    entry = making_put(m, &making_six_bytes, bytes_of(making_six, sizeof making_six), 1);
    making_add(m, bytes_of_text("a"), &entry);
    entry = making_put(m, &strings, bytes_of("\2\0\0\0hi\0\0\0\0\5\0\0\0there", 19), 0);
    making_add(m, bytes_of_text("b"), &entry);
    entry = making_put(m, &empty, bytes_of("", 0), 0);
    making_add(m, bytes_of_text("c"), &entry);
    entry = making_put(m, &scalar, bytes_of("\x78\x56\x34\x12", 4), 0);
    making_add(m, bytes_of_text("d"), &entry);
    return m;
}

static inline enum err_code
making_read(struct wire_files *w, struct err *err)
{
    TRY(wire_files_open(w, &api_wire_tf_v2, err));
    return wire_files_read(w, 0, err);
}

static inline void
making_expect_error(struct wire_files *w, const char *words)
{
    struct err err = ERR_INIT;
    enum err_code code = making_read(w, &err);

    if (code != ERR_INVALID_ARGUMENT || strstr(err.text, words) == NULL)
        fail_msg("%d '%s' lacks '%s'", code, err.text, words);
}

#endif
