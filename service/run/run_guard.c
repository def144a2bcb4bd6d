#include "service/run/run_guard.h"

#include <inttypes.h>
#include <math.h>

#include "service/run/draft.h"
#include "service/tensor/convert.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { GUARD_TILE_ELEMENTS = 8192 };

struct guard {
    struct run *run;
    double *now, *before; /* a tile of each; owned */
    uint8_t *bytes;       /* a tile as stored; owned */
    double squares;       /* of all changes so far */
    bool measure, finite;
};

static void
guard_drop(struct guard *guard)
{
    mem_free(guard->now);
    mem_free(guard->before);
    mem_free(guard->bytes);
}

/* Complex numbers are their parts. */
static enum dtype
part_dtype(enum dtype dtype)
{
    return dtype == DTYPE_COMPLEX64    ? DTYPE_FLOAT32
           : dtype == DTYPE_COMPLEX128 ? DTYPE_FLOAT64
                                       : dtype;
}

static bool
is_guarded(enum dtype dtype)
{
    return dtype_is_float(part_dtype(dtype));
}

static enum err_code
not_finite(const struct draft_variable *variable, uint64_t element, struct err *err)
{
    (void)err_set(err, ERR_UNPROCESSABLE,
                  "guard 'finite': variable '%s' would hold NaN or infinity, first at element "
                  "%" PRIu64,
                  variable->name, element);
    err_about(err, "variable", variable->name);
    return ERR_UNPROCESSABLE;
}

struct look {
    struct guard *guard;
    struct draft_variable *variable;
    bool measure;
    bool has_before;
    bool edited; /* in parts: what was not finite before is no change of this run's */
};

static enum err_code
check_finite(const struct look *look, uint64_t first, uint64_t count, uint32_t parts,
             struct err *err)
{
    const struct guard *g = look->guard;

    for (uint64_t i = 0; g->finite && i < count; i++)
        if (!isfinite(g->now[i]) && !(look->edited && !isfinite(g->before[i])))
            return not_finite(look->variable, (first + i) / parts, err);
    return OK;
}

static enum err_code
look_at_tile(const struct look *look, uint64_t first, uint64_t count, struct err *err)
{
    struct guard *g = look->guard;
    struct draft *draft = g->run->draft;
    enum dtype dtype = part_dtype(look->variable->form.type.dtype);
    uint32_t size = dtype_size(dtype);
    uint32_t parts = dtype_size(look->variable->form.type.dtype) / size;

    TRY(draft_read(draft, look->variable, first * size, count * size, g->bytes, err));
    tensor_cast(dtype, g->bytes, DTYPE_FLOAT64, g->now, count);
    if (look->has_before && (look->measure || look->edited)) {
        TRY(draft_read_before(draft, look->variable, first * size, count * size, g->bytes, err));
        tensor_cast(dtype, g->bytes, DTYPE_FLOAT64, g->before, count);
    }
    TRY(check_finite(look, first, count, parts, err));
    for (uint64_t i = 0; look->measure && i < count; i++) {
        double change = look->has_before ? g->now[i] - g->before[i] : g->now[i];

        g->squares += change * change;
    }
    return OK;
}

static enum err_code
look_at_range(void *context, uint64_t offset, uint64_t size, struct err *err)
{
    struct look *look = context;
    uint32_t element_size = dtype_size(part_dtype(look->variable->form.type.dtype));
    uint64_t first = offset / element_size, end = (offset + size) / element_size, part;

    TRY(draft_work(look->guard->run->draft, size, err));
    for (; first < end; first += part) {
        TRY(service_check_interrupt(look->guard->run->service, err));
        part = end - first < GUARD_TILE_ELEMENTS ? end - first : GUARD_TILE_ELEMENTS;
        TRY(look_at_tile(look, first, part, err));
    }
    return OK;
}

static enum err_code
look_at(struct guard *g, struct draft_variable *variable, struct err *err)
{
    struct look look = {.guard = g,
                        .variable = variable,
                        .measure = g->measure && !variable->is_state,
                        .edited = draft_is_edited(variable)};

    look.has_before = (look.measure || look.edited) && draft_has_before(variable);
    return draft_each_change(variable, look_at_range, &look, err);
}

static enum err_code
judge(const struct guard *g, struct run_report *report, struct err *err)
{
    if (!g->measure)
        return OK;
    report->has_update_norm = true;
    report->update_norm = sqrt(g->squares);
    if (report->update_norm <= g->run->spec->update_norm_max)
        return OK;
    return err_set(err, ERR_UNPROCESSABLE,
                   "guard 'max_update_norm': the changes have a norm of %.17g, at most %.17g is "
                   "allowed",
                   report->update_norm, g->run->spec->update_norm_max);
}

enum err_code
run_guard(struct run *run, struct run_report *report, struct err *err)
{
    AUTO_CALL(guard_drop)
    struct guard g = {
        .run = run, .measure = !isinf(run->spec->update_norm_max), .finite = run->spec->finite};

    if (!g.measure && !g.finite)
        return OK;
    g.now = mem_alloc(GUARD_TILE_ELEMENTS * sizeof(double), err);
    g.before = mem_alloc(GUARD_TILE_ELEMENTS * sizeof(double), err);
    g.bytes = mem_alloc(GUARD_TILE_ELEMENTS * sizeof(double), err);
    if (g.now == NULL || g.before == NULL || g.bytes == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < run->draft->variable_count; i++) {
        struct draft_variable *variable = run->draft->variables[i];

        if (variable->changes > 0 && is_guarded(variable->form.type.dtype) &&
            (g.finite || !variable->is_state))
            TRY(look_at(&g, variable, err));
    }
    return judge(&g, report, err);
}
