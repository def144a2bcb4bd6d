/* Rows that a sparse gradient lists: gathered into memory, applied together, put back; of a row
 * that is long, one part after the other. No other row is read or changed. */
#include "service/training/optimizer_parts.h"

#include "service/device/engine.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    BATCH_ELEMENTS = 16384, /* applied at a time */
    STREAMS = 1 + OPTIMIZER_SLOTS_MAX,
};

struct batch {
    struct optimizer_apply *apply;
    struct optimizer_target *target;
    struct draft_variable *streams[STREAMS]; /* the variable, then its slots; NULL: not wanted */
    uint8_t *in[STREAMS], *out[STREAMS];     /* rows of each; owned */
    uint8_t *gradient;                       /* owned */
    uint64_t row_bytes;                      /* of the variable */
    uint64_t rows_max;                       /* at a time */
    uint64_t begin, part_bytes;              /* of each row: what is under way */
};

static void
batch_drop(struct batch *b)
{
    for (uint32_t i = 0; i < STREAMS; i++) {
        mem_free(b->in[i]);
        mem_free(b->out[i]);
    }
    mem_free(b->gradient);
}

static enum err_code
batch_room(struct batch *b, struct err *err)
{
    uint64_t size = b->rows_max * b->part_bytes;

    b->gradient = mem_aligned(size, err);
    if (b->gradient == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < STREAMS; i++) {
        if (b->streams[i] == NULL)
            continue;
        b->in[i] = mem_aligned(size, err);
        b->out[i] = mem_aligned(size, err);
        if (b->in[i] == NULL || b->out[i] == NULL)
            return ERR_NO_MEMORY;
    }
    return OK;
}

static enum err_code
gather(struct batch *b, uint64_t first, uint64_t count, struct err *err)
{
    const struct optimizer_target *target = b->target;

    for (uint64_t k = 0; k < count; k++) {
        uint64_t at = target->order[first + k], row = target->rows.rows[at];

        memcpy(b->gradient + k * b->part_bytes, target->values + at * b->row_bytes + b->begin,
               b->part_bytes);
        for (uint32_t i = 0; i < STREAMS; i++)
            if (b->streams[i] != NULL)
                TRY(draft_read(b->apply->run->draft, b->streams[i], row * b->row_bytes + b->begin,
                               b->part_bytes, b->in[i] + k * b->part_bytes, err));
    }
    return OK;
}

static enum err_code
put_row(struct draft *draft, struct draft_variable *variable, uint64_t offset, const uint8_t *from,
        uint64_t left, struct err *err)
{
    while (left > 0) {
        uint8_t *room = NULL;
        size_t size = 0;

        TRY(draft_edit(draft, variable, offset, left, &room, &size, err));
        memcpy(room, from, size);
        offset += size;
        from += size;
        left -= size;
    }
    return OK;
}

static enum err_code
put_back(struct batch *b, uint64_t first, uint64_t count, struct err *err)
{
    const struct optimizer_target *target = b->target;

    for (uint32_t i = 0; i < STREAMS; i++) {
        for (uint64_t k = 0; b->streams[i] != NULL && k < count; k++) {
            uint64_t row = target->rows.rows[target->order[first + k]];

            TRY(put_row(b->apply->run->draft, b->streams[i], row * b->row_bytes + b->begin,
                        b->out[i] + k * b->part_bytes, b->part_bytes, err));
        }
    }
    return OK;
}

static enum err_code
apply_batch(struct batch *b, uint64_t count, struct err *err)
{
    uint32_t element_size = dtype_size(b->target->variable->form.type.dtype);
    struct optimizer_tile tile = {.count = count * b->part_bytes / element_size,
                                  .variable = b->in[0],
                                  .gradient = b->gradient,
                                  .variable_out = b->out[0]};

    for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++) {
        tile.slots[i] = b->in[1 + i];
        tile.slots_out[i] = b->out[1 + i];
    }
    return device_step(b->target->variable->assigned, b->apply->config.optimizer, &b->target->step,
                       &tile, err);
}

bool
optimizer_is_listed(const struct optimizer_apply *apply, const struct optimizer_target *target)
{
    return target->gradient->indices != NULL && draft_size(target->variable) > 0 &&
           !optimizer_every_row(apply->config.optimizer, apply->config.params);
}

/* Asks for all of them before the run is given up for the first: it is made again once. */
enum err_code
optimizer_want_rows(struct optimizer_apply *apply, bool *converted, struct err *err)
{
    bool deferred = false;

    for (size_t i = 0; i < apply->target_count * STREAMS; i++) {
        struct optimizer_target *target = &apply->targets[i / STREAMS];
        struct draft_variable *variable =
            i % STREAMS == 0 ? target->variable : target->slots[i % STREAMS - 1];
        bool done = false;
        enum err_code code;

        if (variable == NULL || !optimizer_is_listed(apply, target))
            continue;
        code = run_want_rows(apply->run, variable, &done, err);
        if (code != ERR_DEFER)
            TRY(code);
        deferred |= code == ERR_DEFER;
        *converted |= done;
    }
    return deferred ? ERR_DEFER : OK;
}

/* `count` listed rows from the `first` on, from their beginning to their end. */
static enum err_code
apply_rows(struct batch *b, uint64_t first, uint64_t count, uint64_t part_bytes_max,
           struct err *err)
{
    for (b->begin = 0; b->begin < b->row_bytes; b->begin += b->part_bytes) {
        uint64_t left = b->row_bytes - b->begin;

        TRY(service_check_interrupt(b->apply->run->service, err));
        b->part_bytes = left < part_bytes_max ? left : part_bytes_max;
        TRY(gather(b, first, count, err));
        TRY(apply_batch(b, count, err));
        TRY(put_back(b, first, count, err));
    }
    return OK;
}

enum err_code
optimizer_apply_listed(struct optimizer_apply *apply, struct optimizer_target *target,
                       struct err *err)
{
    AUTO_CALL(batch_drop) struct batch b = {.apply = apply, .target = target};
    uint64_t width = target->rows.width, count = target->rows.count;
    uint32_t element_size = dtype_size(target->variable->form.type.dtype);
    uint64_t part = width < BATCH_ELEMENTS ? width : BATCH_ELEMENTS;

    b.streams[0] = target->variable;
    memcpy(b.streams + 1, target->slots, sizeof target->slots);
    b.row_bytes = width * element_size;
    b.part_bytes = part * element_size;
    b.rows_max = BATCH_ELEMENTS / part;
    TRY(draft_work(apply->run->draft, count * b.row_bytes * STREAMS, err));
    TRY(batch_room(&b, err));
    for (uint64_t first = 0; first < count; first += b.rows_max) {
        uint64_t rows = count - first < b.rows_max ? count - first : b.rows_max;

        TRY(apply_rows(&b, first, rows, part * element_size, err));
    }
    for (uint32_t i = 0; i < STREAMS; i++)
        if (b.streams[i] != NULL)
            draft_edited(b.streams[i]);
    return OK;
}
