/* What the tests of drafts share: operations on an open draft, made and published in either place,
 * inside a commit or ahead of it. */
#ifndef TESTS_UNIT_SERVICE_DRAFT_FIXTURE_H
#define TESTS_UNIT_SERVICE_DRAFT_FIXTURE_H

#include "service/commit.h"
#include "service/run/draft.h"
#include "tests/unit/service/service_fixture.h"

/* What a test does with a draft: may be called again on another one. */
typedef enum err_code draft_make(struct draft *draft, void *context, struct err *err);

struct drafting {
    struct domain *d;
    draft_make *make;
    void *context;
    void (*between)(struct domain *d); /* ahead: after it is made, before it is published */
    int undone;                        /* so often a unit that has published it is undone first */
    struct draft *draft;               /* ahead */
    bool changed, again;
};

static inline enum err_code
drafting_publish(struct drafting *w, struct draft *draft, struct store_txn *txn, struct err *err)
{
    TRY(draft_publish(draft, txn, &w->changed, err));
    w->again = w->undone-- > 0;
    return w->again ? err_set(err, ERR_ABORTED, "undone by the test") : OK;
}

static inline enum err_code
drafting_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct drafting *w = context;
    AUTO(draft) draft = {0};

    if (w->draft != NULL)
        return drafting_publish(w, w->draft, txn, err);
    TRY(draft_open(&draft, w->d->service, MODEL, store_txn_view(txn), false, err));
    TRY(w->make(&draft, w->context, err));
    return drafting_publish(w, &draft, txn, err);
}

static inline enum err_code
drafting_commit(struct drafting *w, struct store_stage *stage)
{
    enum err_code code;

    do {
        err_clear(&w->d->f->err);
        w->again = false;
        code = service_commit(w->d->service, drafting_unit, w, NULL, stage, NULL, &w->d->f->err);
    } while (w->again);
    return code;
}

static inline enum err_code
drafting_ahead(struct drafting *w)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(draft) draft = {0};
    struct err *err = &w->d->f->err;

    TRY(store_snapshot_open(w->d->f->store, &snapshot, err));
    TRY(draft_open(&draft, w->d->service, MODEL, store_snapshot_view(snapshot), true, err));
    TRY(w->make(&draft, w->context, err));
    TRY(draft_settle(&draft, err));
    store_snapshot_drop(snapshot);
    snapshot = NULL;
    if (w->between != NULL)
        w->between(w->d);
    w->draft = &draft;
    TRY(drafting_commit(w, draft.stage));
    draft.stage = NULL; /* taken */
    return OK;
}

static inline enum err_code
try_draft(struct domain *d, bool ahead, draft_make *make, void *context)
{
    struct drafting w = {.d = d, .make = make, .context = context};

    return ahead ? drafting_ahead(&w) : drafting_commit(&w, NULL);
}

/* Published by a unit that runs three times and is undone twice. */
static inline void
draft_works(struct domain *d, bool ahead, draft_make *make, void *context)
{
    struct drafting w = {.d = d, .make = make, .context = context, .undone = 2};

    WORKS(ahead ? drafting_ahead(&w) : drafting_commit(&w, NULL), &d->f->err);
    assert_int_equal(w.undone, -1);
}

/* --- for what is done with a draft ---------------------------------------------------------
 * Inside a commit this is the committer's thread, where cmocka's assertions end the program: what
 * does not hold is an error of the unit. */

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return err_set(err, ERR_INTERNAL, "%s", #condition);                                   \
    } while (0)

/* A call that fails in one way, with a text that holds `words`. */
#define MUST_FAIL(call, expected, words)                                                           \
    do {                                                                                           \
        enum err_code must_fail_code_ = (call);                                                    \
        if (must_fail_code_ != (expected) || err->code != (expected) ||                            \
            strstr(err->text, words) == NULL)                                                      \
            print_error("%s: '%s', not '%s'\n", #call, err->text, words);                          \
        HOLDS(must_fail_code_ == (expected) && err->code == (expected));                           \
        HOLDS(strstr(err->text, words) != NULL);                                                   \
        err_clear(err);                                                                            \
    } while (0)

/* A new whole value of uint8 elements. */
static inline enum err_code
write_whole(struct draft *draft, const char *name, const void *bytes, size_t size, struct err *err)
{
    struct shape shape = {.rank = 1, .dims = {size}};
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;

    TRY(draft_find(draft, name, &variable, err));
    TRY(draft_write_open(draft, variable, size, &w, err));
    TRY(draft_write_append(w, bytes, size, err));
    return draft_write_close(TAKE(w), &shape, err);
}

/* Parts of the value, by as many edits as it takes. */
static inline enum err_code
write_part(struct draft *draft, const char *name, uint64_t offset, const void *bytes, size_t size,
           struct err *err)
{
    const uint8_t *from = bytes;
    struct draft_variable *variable = NULL;

    TRY(draft_find(draft, name, &variable, err));
    while (size > 0) {
        uint8_t *room = NULL;
        size_t part = 0;

        TRY(draft_edit(draft, variable, offset, size, &room, &part, err));
        HOLDS(part >= 1 && part <= size);
        memcpy(room, from, part);
        offset += part;
        from += part;
        size -= part;
    }
    draft_edited(variable);
    return OK;
}

/* The draft's value of the variable is this, read as a whole and in odd pieces. */
static inline enum err_code
drafted_is(struct draft *draft, const char *name, const uint8_t *bytes, size_t size,
           struct err *err)
{
    AUTO_CALL(mem_free_scope) uint8_t *got = mem_alloc(size, err);
    struct draft_variable *variable = NULL;

    HOLDS(got != NULL);
    TRY(draft_find_initialized(draft, name, &variable, err));
    HOLDS(draft_size(variable) == size);
    TRY(draft_read(draft, variable, 0, size, got, err));
    HOLDS(memcmp(got, bytes, size) == 0);
    for (size_t at = 0, part = 1; at < size; at += part, part = part * 7 % 60013) {
        struct bytes lent = {0};

        if (part > size - at)
            part = size - at;
        TRY(draft_read(draft, variable, at, part, got, err));
        HOLDS(memcmp(got, bytes + at, part) == 0);
        TRY(draft_lend(draft, variable, at, part, &lent, err));
        HOLDS(lent.data == NULL || lent.size == part);
        HOLDS(lent.data == NULL || memcmp(lent.data, bytes + at, part) == 0);
    }
    return OK;
}

static inline enum err_code
save_now(struct draft *draft, const char *checkpoint, const char *name, bool overwrite,
         struct err *err)
{
    struct draft_save_spec spec = {.name = checkpoint, .overwrite = overwrite};
    struct draft_variable *variable = NULL;
    struct draft_save *save = NULL;

    TRY(draft_find(draft, name, &variable, err));
    TRY(draft_save_open(draft, &spec, &save, err));
    return draft_save_add(draft, save, bytes_of_text(name), variable, err);
}

/* --- around it ----------------------------------------------------------------------------- */

/* A uint8 vector with these bytes; rows: kept in small chunks. */
static inline void
make_bytes(struct domain *d, const char *name, const void *bytes, size_t size, bool rows)
{
    struct shape shape = {.rank = 1, .dims = {size}};
    struct variable_spec spec = spec_named(name);

    spec.dtype = DTYPE_UINT8;
    spec.shape = &shape;
    spec.row_updates = rows;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    if (bytes != NULL)
        assign(d, name, DTYPE_UINT8, shape, bytes);
}

static inline void
bytes_must_be(struct domain *d, const char *name, const void *bytes, size_t size)
{
    struct shape shape = {.rank = 1, .dims = {size}};

    must_be(d, name, DTYPE_UINT8, shape, bytes, size);
}

static inline void
saved_must_be(struct domain *d, const char *checkpoint, const char *tensor, const void *bytes,
              size_t size)
{
    struct shape shape = {.rank = 1, .dims = {size}};
    struct tensor_set set = {0};

    WORKS(checkpoint_read(d->service, MODEL, checkpoint, tensor, bytes_of(NULL, 0), DTYPE_UNSET,
                          false, &set, &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, DTYPE_UINT8, shape, bytes, size);
    tensor_set_drop(&set);
}

#endif
