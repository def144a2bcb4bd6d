/* A whole variable and its slots, made anew: piece by piece, each piece by several threads. */
#include "service/training/optimizer_parts.h"

#include <stdint.h>

#include "service/device/engine.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum {
    PART_ELEMENTS = 8192, /* of a piece, for one thread at a time */
    STREAMS_MAX = 1 + OPTIMIZER_SLOTS_MAX,
    PARTS_MAX = STORE_BULK_BYTES / 2 / PART_ELEMENTS + 1, /* of a piece of two-byte elements */
};

/* The variable, then its slots: what is read and what is written. */
struct stream {
    struct draft_variable *variable; /* NULL: a slot that is not wanted */
    struct draft_writer *writer;     /* owned */
    uint8_t *copy;                   /* where the old bytes do not lie together; owned */
    const void *in;                  /* of the piece */
    uint8_t *out;
};

struct whole {
    struct optimizer_apply *apply;
    struct optimizer_target *target;
    struct stream streams[STREAMS_MAX];
    uint8_t *gradient_room; /* owned */
    uint32_t element_size;
    bool writes; /* false: measured only */
    /* the piece under way */
    uint64_t first, count;
    const void *gradient;
    double sums[PARTS_MAX][OPTIMIZER_SUMS_MAX];
    double squares[PARTS_MAX]; /* of a dense gradient */
};

static void
whole_drop(struct whole **whole)
{
    if (*whole == NULL)
        return;
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        draft_write_drop((*whole)->streams[i].writer);
        mem_free((*whole)->streams[i].copy);
    }
    mem_free((*whole)->gradient_room);
    mem_free(*whole);
}

static enum err_code
whole_open(struct optimizer_apply *apply, struct optimizer_target *target, struct whole **out,
           struct err *err)
{
    AUTO_CALL(whole_drop) struct whole *w = mem_zeroed(1, sizeof *w, err);

    if (w == NULL)
        return ERR_NO_MEMORY;
    w->apply = apply;
    w->target = target;
    w->element_size = dtype_size(target->variable->form.type.dtype);
    w->streams[0].variable = target->variable;
    for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++)
        w->streams[1 + i].variable = target->slots[i];
    w->gradient_room = mem_aligned(STORE_BULK_BYTES, err);
    if (w->gradient_room == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *s = &w->streams[i];

        if (s->variable == NULL)
            continue;
        s->copy = mem_aligned(STORE_BULK_BYTES, err);
        if (s->copy == NULL)
            return ERR_NO_MEMORY;
    }
    *out = TAKE(w);
    return OK;
}

static enum err_code
open_writers(struct whole *w, struct err *err)
{
    struct draft *draft = w->apply->run->draft;

    w->writes = true;
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *s = &w->streams[i];

        if (s->variable != NULL)
            TRY(draft_write_open(draft, s->variable, draft_size(s->variable), &s->writer, err));
    }
    return OK;
}

static enum err_code
close_writers(struct whole *w, struct err *err)
{
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *s = &w->streams[i];

        if (s->variable != NULL)
            TRY(draft_write_close(TAKE(s->writer), &s->variable->form.type.shape, err));
    }
    return OK;
}

/* --- a piece ------------------------------------------------------------------------------- */

/* As many elements as all writers have room for. */
static enum err_code
reserve(struct whole *w, uint64_t left, struct err *err)
{
    uint64_t most = STORE_BULK_BYTES / w->element_size;

    w->count = left < most ? left : most;
    for (uint32_t i = 0; w->writes && i < STREAMS_MAX; i++) {
        struct stream *s = &w->streams[i];
        size_t size = 0;

        if (s->variable == NULL)
            continue;
        TRY(draft_write_reserve(s->writer, &s->out, &size, err));
        if (size / w->element_size < w->count)
            w->count = size / w->element_size;
    }
    CHECK(w->count > 0);
    return OK;
}

/* The old bytes: lent where they lie together and aligned, else copied. */
static enum err_code
read_stream(struct whole *w, struct stream *s, struct err *err)
{
    struct draft *draft = w->apply->run->draft;
    uint64_t offset = w->first * w->element_size, size = w->count * w->element_size;
    struct bytes lent = {0};

    TRY(draft_lend(draft, s->variable, offset, size, &lent, err));
    s->in = lent.data;
    if (lent.data != NULL && (uintptr_t)lent.data % 16 == 0)
        return OK;
    s->in = s->copy;
    return draft_read(draft, s->variable, offset, size, s->copy, err);
}

static enum err_code
read_piece(struct whole *w, struct err *err)
{
    for (uint32_t i = 0; i < STREAMS_MAX; i++)
        if (w->streams[i].variable != NULL)
            TRY(read_stream(w, &w->streams[i], err));
    w->gradient = NULL;
    if (w->target->gradient->indices != NULL)
        return OK;
    return optimizer_read_gradient(w->apply, w->target, w->first, w->count, w->gradient_room,
                                   &w->gradient, err);
}

/* `count` elements of the piece, from its `first` on. */
static void
tile_of(const struct whole *w, uint64_t first, uint64_t count, struct optimizer_tile *tile)
{
    uint64_t offset = first * w->element_size;

    *tile = (struct optimizer_tile){.count = count};
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        const struct stream *s = &w->streams[i];
        const void *in = s->variable == NULL ? NULL : (const uint8_t *)s->in + offset;
        void *out = s->variable == NULL || !w->writes ? NULL : s->out + offset;

        if (i == 0) {
            tile->variable = in;
            tile->variable_out = out;
        } else {
            tile->slots[i - 1] = in;
            tile->slots_out[i - 1] = out;
        }
    }
    if (w->gradient != NULL)
        tile->gradient = (const uint8_t *)w->gradient + offset;
}

static struct optimizer_rows
rows_of(const struct optimizer_target *target)
{
    return (struct optimizer_rows){.width = target->rows.width,
                                   .count = target->rows.count,
                                   .rows = target->rows.rows,
                                   .order = target->order,
                                   .gradient = target->values};
}

static enum err_code
apply_tile(const struct whole *w, uint64_t first, const struct optimizer_tile *tile,
           struct err *err)
{
    const struct optimizer *optimizer = w->apply->config.optimizer;
    const struct optimizer_target *target = w->target;
    const struct device *device = target->variable->assigned;
    struct optimizer_rows rows = rows_of(target);

    if (target->gradient->indices == NULL)
        return device_step(device, optimizer, &target->step, tile, err);
    return optimizer_apply_rows(device, optimizer, &target->step, &rows, w->first + first, tile,
                                err);
}

static void
measure_tile(const struct whole *w, uint64_t first, const struct optimizer_tile *tile,
             double sums[static OPTIMIZER_SUMS_MAX])
{
    const struct optimizer *optimizer = w->apply->config.optimizer;
    const struct optimizer_target *target = w->target;
    struct optimizer_rows rows = rows_of(target);

    if (target->gradient->indices == NULL)
        optimizer->measure(&target->step, tile, sums);
    else
        optimizer_measure_rows(optimizer, &target->step, &rows, w->first + first, tile, sums);
}

/* What is measured the host measures, in parts of its own; another device applies the piece whole.
 */
static enum err_code
run_part(void *context, uint32_t lane, uint64_t part, struct err *err)
{
    struct whole *w = context;
    uint64_t first = part * PART_ELEMENTS, left = w->count - first;
    struct optimizer_tile tile;

    (void)lane;
    tile_of(w, first, left < PART_ELEMENTS ? left : PART_ELEMENTS, &tile);
    if (!w->writes)
        measure_tile(w, first, &tile, w->sums[part]);
    else if (w->target->gradient->indices == NULL && !w->apply->scaled)
        w->squares[part] =
            optimizer_sum_of_squares(w->target->step.dtype, tile.gradient, tile.count);
    if (!w->writes || device_is_apart(w->target->variable->assigned))
        return OK;
    return apply_tile(w, first, &tile, err);
}

/* In the order of the parts, whoever made them. */
static void
add_sums(struct whole *w, uint64_t parts)
{
    for (uint64_t part = 0; part < parts; part++) {
        w->target->squares += w->squares[part];
        for (uint32_t i = 0; i < OPTIMIZER_SUMS_MAX; i++)
            w->target->step.sums[i] += w->sums[part][i];
    }
}

static enum err_code
run_piece(struct whole *w, struct err *err)
{
    const struct draft_variable *variable = w->target->variable;
    const struct evaluator_options options =
        draft_evaluator_options(w->apply->run->draft, variable);
    uint64_t parts = (w->count + PART_ELEMENTS - 1) / PART_ELEMENTS;
    struct optimizer_tile tile;

    memset(w->sums, 0, sizeof w->sums);
    memset(w->squares, 0, sizeof w->squares);
    TRY(parallel_do(options.parallel, parts, run_part, w, err));
    add_sums(w, parts);
    if (!w->writes || !device_is_apart(variable->assigned))
        return OK;
    tile_of(w, 0, w->count, &tile);
    return apply_tile(w, 0, &tile, err);
}

/* All of the variable, front to back. */
static enum err_code
go_through(struct whole *w, struct err *err)
{
    struct service *service = w->apply->run->service;
    uint64_t total = shape_count(&w->target->variable->form.type.shape);

    for (w->first = 0; w->first < total; w->first += w->count) {
        TRY(service_check_interrupt(service, err));
        TRY(reserve(w, total - w->first, err));
        TRY(read_piece(w, err));
        TRY(run_piece(w, err));
        for (uint32_t i = 0; w->writes && i < STREAMS_MAX; i++)
            if (w->streams[i].variable != NULL)
                TRY(draft_write_commit(w->streams[i].writer, w->count * w->element_size, err));
    }
    return OK;
}

enum err_code
optimizer_apply_whole(struct optimizer_apply *apply, struct optimizer_target *target,
                      struct err *err)
{
    AUTO_CALL(whole_drop) struct whole *w = NULL;
    uint64_t bytes = draft_size(target->variable);
    bool measures = apply->config.optimizer->measure != NULL;

    TRY(draft_work(apply->run->draft, bytes * (STREAMS_MAX + measures), err));
    TRY(whole_open(apply, target, &w, err));
    memset(target->step.sums, 0, sizeof target->step.sums);
    if (measures)
        TRY(go_through(w, err));
    TRY(open_writers(w, err));
    TRY(go_through(w, err));
    return close_writers(w, err);
}
