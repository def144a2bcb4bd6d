/* What tests of archives look at: the set of files that one was unpacked to. */
#ifndef TESTS_UNIT_API_UNPACKED_H
#define TESTS_UNIT_API_UNPACKED_H

#include "api/file/unpack.h"
#include "tests/unit/service/service_fixture.h"

/* Owned: unpacked_drop. */
struct unpacked {
    struct scratch *scratch;
    struct arena arena;
    struct api_file_set set;
};

static inline void
unpacked_init(struct unpacked *u, struct domain *d)
{
    arena_init(&u->arena, 64 << 20);
    WORKS(scratch_open(d->service, &u->scratch, &d->f->err), &d->f->err);
}

static inline void
unpacked_drop(struct unpacked *u)
{
    scratch_drop(u->scratch);
    arena_drop(&u->arena);
}

/* That the set has a file of that name, with that text in it. */
static inline void
expect_file(struct domain *d, const struct unpacked *u, const char *name, const char *text)
{
    const struct api_file *file = api_file_set_find(&u->set, bytes_of_text(name));
    char bytes[4096];

    if (file == NULL)
        fail_msg("no '%s'", name);
    assert_int_equal(file->size, strlen(text));
    assert_true(file->size < sizeof bytes);
    WORKS(api_file_read(file, 0, bytes, (size_t)file->size, &d->f->err), &d->f->err);
    assert_memory_equal(bytes, text, strlen(text));
}

#endif
