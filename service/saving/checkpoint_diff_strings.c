/* String tensors: both sides are read front to back, an element at a time, in whatever runs their
 * bytes lie. */
#include "service/saving/checkpoint_diff_parts.h"

#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { LENGTH_BYTES = 4 };

/* One side. Owned: diff_strings_drop. */
struct diff_strings {
    const struct store *store;
    const struct value_head *head; /* of gaps */
    const struct diff_run *runs;
    size_t run_count;  /* not yet begun */
    struct bytes left; /* of the run begun last */
    uint8_t *made;     /* a gap; owned */
};

static void
diff_strings_drop(struct diff_strings *s)
{
    mem_free(s->made);
}

static enum err_code
next_run(struct diff_strings *s, struct err *err)
{
    const struct diff_run *run = s->runs;

    if (s->run_count == 0)
        return err_set(err, ERR_DATA_LOSS, "the bytes of a string tensor end too early");
    s->runs++;
    s->run_count--;
    s->left = bytes_of(run->data, (size_t)run->size);
    if (run->data != NULL)
        return OK;
    if (s->made == NULL)
        s->made = mem_aligned(STORE_BULK_BYTES, err);
    if (s->made == NULL)
        return ERR_NO_MEMORY;
    TRY(value_gap_fill(s->store, s->head, run->offset, run->size, s->made, err));
    s->left.data = s->made;
    return OK;
}

/* As many of the next `size` (> 0) bytes as lie together. */
static enum err_code
take(struct diff_strings *s, uint64_t size, struct bytes *out, struct err *err)
{
    while (s->left.size == 0)
        TRY(next_run(s, err));
    *out = bytes_of(s->left.data, size < s->left.size ? (size_t)size : s->left.size);
    s->left = bytes_of(s->left.data + out->size, s->left.size - out->size);
    return OK;
}

static enum err_code
take_length(struct diff_strings *s, uint32_t *out, struct err *err)
{
    uint8_t bytes[LENGTH_BYTES];
    struct reader in = reader_of(bytes_of(bytes, sizeof bytes));
    struct bytes run;

    for (size_t have = 0; have < sizeof bytes; have += run.size) {
        TRY(take(s, sizeof bytes - have, &run, err));
        memcpy(bytes + have, run.data, run.size);
    }
    *out = reader_u32(&in);
    return OK;
}

static enum err_code
skip(struct diff_strings *s, uint64_t size, struct err *err)
{
    struct bytes run;

    for (; size > 0; size -= run.size)
        TRY(take(s, size, &run, err));
    return OK;
}

/* The next `size` bytes of both. */
static enum err_code
compare_bytes(struct diff_strings *a, struct diff_strings *b, uint64_t size, bool *equal,
              struct err *err)
{
    struct bytes x, y;

    while (size > 0 && *equal) {
        uint64_t together = size;

        while (a->left.size == 0)
            TRY(next_run(a, err));
        if (a->left.size < together)
            together = a->left.size;
        TRY(take(b, together, &y, err));
        TRY(take(a, y.size, &x, err));
        *equal = memcmp(x.data, y.data, x.size) == 0;
        size -= x.size;
    }
    TRY(skip(a, size, err));
    return skip(b, size, err);
}

static enum err_code
compare_element(struct diff_strings *a, struct diff_strings *b,
                struct checkpoint_tensor_diff *tensor, struct err *err)
{
    uint32_t a_size = 0, b_size = 0;
    bool equal;

    TRY(take_length(a, &a_size, err));
    TRY(take_length(b, &b_size, err));
    equal = a_size == b_size;
    if (equal) {
        TRY(compare_bytes(a, b, a_size, &equal, err));
    } else {
        TRY(skip(a, a_size, err));
        TRY(skip(b, b_size, err));
    }
    if (!equal) {
        tensor->sums.changed++;
        tensor->changed_bytes += a_size;
    }
    return OK;
}

enum err_code
checkpoint_diff_strings(const struct checkpoint_diff *diff, const struct diff_pair *pair,
                        struct checkpoint_tensor_diff *tensor, struct err *err)
{
    const struct checkpoint_diff_work *work = diff->work;
    const struct diff_run *runs = work->runs.list + pair->run_first;
    const uint64_t count = shape_count(&tensor->type.shape);
    AUTO(diff_strings)
    a = {.store = work->service->store,
         .head = pair->a_head,
         .runs = runs,
         .run_count = pair->a_runs};
    AUTO(diff_strings)
    b = {.store = work->service->store,
         .head = pair->b_head,
         .runs = runs + pair->a_runs,
         .run_count = pair->b_runs};

    for (uint64_t i = 0; i < count; i++)
        TRY(compare_element(&a, &b, tensor, err));
    tensor->compared_bytes = tensor->size;
    if (tensor->sums.changed > 0)
        tensor->status = CHECKPOINT_TENSOR_CHANGED;
    return OK;
}
