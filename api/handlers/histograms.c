/* How a variable's elements were distributed, over its versions. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/negotiate.h"
#include "api/json/number.h"
#include "api/json/text.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/statistics_json.h"
#include "api/tensors/tensor_io.h"
#include "service/watch/history.h"
#include "service/watch/history_bins.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    BINS_MAX = 512,
    BINS_DEFAULT = 64,
    STEPS_MAX = 512,
    STEPS_DEFAULT = 51,
    LINES = 9,
};

enum form { FORM_JSON, FORM_HISTOGRAMS, FORM_DISTRIBUTIONS };

static const struct api_choice forms[] = {
    [FORM_JSON] = {"json", "application/json", NULL},
    [FORM_HISTOGRAMS] = {"tensorboard", "application/json", NULL},
    [FORM_DISTRIBUTIONS] = {"tensorboard_distributions", "application/json", NULL},
};

/* Of the normal distribution at half deviations, as TensorBoard has them. */
static const int basis_points[LINES] = {0, 668, 1587, 3085, 5000, 6915, 8413, 9332, 10000};

/* What is asked for. */
struct query {
    size_t form;
    uint64_t bins, steps_max;
    bool has_from, has_to, has_low, has_high, robust;
    int64_t from_step, to_step;
    double low, high;
};

static enum err_code
not_a_number(const char *name, const char *kind, struct bytes text, struct err *err)
{
    char shown[API_SHOWN_BYTES_MAX + 1];

    return err_set(err, ERR_INVALID_ARGUMENT, "query argument '%s' is %s, not '%s'", name, kind,
                   api_text_shown(text, shown));
}

static enum err_code
take_step(struct api_request *rq, const char *name, bool *has, int64_t *out, struct err *err)
{
    struct bytes text = api_request_query(rq, name);

    *has = text.data != NULL;
    if (!*has)
        return OK;
    if (api_number_length((const char *)text.data, text.size) != text.size ||
        !api_number_i64((const char *)text.data, text.size, out))
        return not_a_number(name, "an integer", text, err);
    return OK;
}

static enum err_code
take_bound(struct api_request *rq, const char *name, bool *has, double *out, struct err *err)
{
    struct bytes text = api_request_query(rq, name);

    *has = text.data != NULL;
    if (!*has)
        return OK;
    if (text.size == 0 || api_number_length((const char *)text.data, text.size) != text.size ||
        !api_number_f64((const char *)text.data, text.size, out))
        return not_a_number(name, "a number", text, err);
    return OK;
}

static enum err_code
take_query(struct api_request *rq, struct api_reply *rp, struct query *out, struct err *err)
{
    TRY(api_negotiate_choice(rq, rp, forms, sizeof forms / sizeof forms[0], &out->form, err));
    TRY(api_request_query_count(rq, "bins", BINS_DEFAULT, BINS_MAX, &out->bins, err));
    TRY(api_request_query_count(rq, "max_steps", STEPS_DEFAULT, STEPS_MAX, &out->steps_max, err));
    TRY(take_step(rq, "from_step", &out->has_from, &out->from_step, err));
    TRY(take_step(rq, "to_step", &out->has_to, &out->to_step, err));
    TRY(take_bound(rq, "lo", &out->has_low, &out->low, err));
    TRY(take_bound(rq, "hi", &out->has_high, &out->high, err));
    return api_negotiate_either(rq, NULL, "range", "full", "robust", &out->robust, err);
}

/* --- what is told -------------------------------------------------------------------------- */

/* The snapshots that the query picks. */
struct picks {
    const struct snapshot_record **list; /* in the request's arena */
    size_t count;
};

/* As many as may be, evenly spaced; the first and the last among them, or the last alone. */
static void
spread(struct picks *picks, size_t most)
{
    const size_t count = picks->count;

    if (count <= most)
        return;
    for (size_t i = 0; i < most; i++)
        picks->list[i] = picks->list[most == 1 ? count - 1 : i * (count - 1) / (most - 1)];
    picks->count = most;
}

static enum err_code
pick(struct api_request *rq, const struct query *query, const struct history *history,
     struct picks *out, struct err *err)
{
    out->count = 0;
    out->list = arena_array(api_request_arena(rq), history->count + 1, sizeof *out->list, err);
    if (out->list == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < history->count; i++) {
        const struct snapshot_record *snapshot = &history->snapshots[i];
        const int64_t step = history_step(snapshot);

        if ((!query->has_from || step >= query->from_step) &&
            (!query->has_to || step <= query->to_step))
            out->list[out->count++] = snapshot;
    }
    spread(out, (size_t)query->steps_max);
    return OK;
}

/* By 1, or by more where that would be lost in the digits. */
static double
beside(double value, double direction)
{
    double step = direction;

    while (value + step == value)
        step *= 2;
    return value + step;
}

/* 0 to 1 where there is nothing. */
static enum err_code
find_range(const struct query *query, const struct picks *picks, struct history_range *out,
           struct err *err)
{
    if (!history_range_of(picks->list, picks->count, query->robust, out))
        *out = (struct history_range){0, 1};
    if (query->has_low)
        out->low = query->low;
    if (query->has_high)
        out->high = query->high;
    if (query->has_low && !query->has_high && out->high <= out->low)
        out->high = beside(out->low, 1);
    if (query->has_high && !query->has_low && out->low >= out->high)
        out->low = beside(out->high, -1);
    if (out->low < out->high && isfinite(out->high - out->low))
        return OK;
    return err_set(
        err, ERR_INVALID_ARGUMENT,
        "'lo' is to be less than 'hi', by a finite number: %.17g and %.17g are asked for", out->low,
        out->high);
}

static json_t *
seconds_of(const struct snapshot_record *snapshot)
{
    return json_real((double)snapshot->time_ms / 1000);
}

static enum err_code
push_bins(const struct snapshot_record *snapshot, const struct history_range *range,
          const struct query *query, json_t *object, struct err *err)
{
    double counts[BINS_MAX], below = 0, above = 0;
    AUTO_CALL(api_json_release) json_t *array = NULL;

    history_bins(snapshot, range, (uint32_t)query->bins, counts, &below, &above);
    TRY(api_json_made(json_array(), &array, err));
    for (uint64_t i = 0; i < query->bins; i++)
        TRY(api_json_push(array, json_real(counts[i]), err));
    TRY(api_json_set(object, "counts", TAKE(array), err));
    TRY(api_json_set(object, "below", json_real(below), err));
    return api_json_set(object, "above", json_real(above), err);
}

static enum err_code
set_lines(const struct snapshot_record *snapshot, json_t *object, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    if (snapshot->point_count == 0)
        return api_json_set(object, "quantiles", json_null(), err);
    TRY(api_json_made(json_array(), &array, err));
    for (int i = 0; i < LINES; i++)
        TRY(api_json_push(array, json_real(history_quantile(snapshot, basis_points[i] / 10000.0)),
                          err));
    return api_json_set(object, "quantiles", TAKE(array), err);
}

static enum err_code
describe_snapshot(const struct snapshot_record *snapshot, enum dtype dtype,
                  const struct history_range *range, const struct query *query, json_t **out,
                  struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL, *stats = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "step", json_integer(history_step(snapshot)), err));
    TRY(api_json_set(json, "version", json_integer((json_int_t)snapshot->version), err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)snapshot->revision), err));
    TRY(api_json_set(json, "wall_time", seconds_of(snapshot), err));
    TRY(push_bins(snapshot, range, query, json, err));
    TRY(api_json_made(json_object(), &stats, err));
    TRY(api_statistics_set_elements(stats, dtype, &snapshot->elements, err));
    TRY(api_json_set(json, "stats", TAKE(stats), err));
    TRY(set_lines(snapshot, json, err));
    *out = TAKE(json);
    return OK;
}

/* [[left, right, count], ...] */
static enum err_code
describe_triples(const struct snapshot_record *snapshot, const struct history_range *range,
                 const struct query *query, json_t **out, struct err *err)
{
    double counts[BINS_MAX], below = 0, above = 0;
    const double width = (range->high - range->low) / (double)query->bins;
    AUTO_CALL(api_json_release) json_t *array = NULL;

    history_bins(snapshot, range, (uint32_t)query->bins, counts, &below, &above);
    TRY(api_json_made(json_array(), &array, err));
    for (uint64_t i = 0; i < query->bins; i++) {
        const double left = range->low + width * (double)i;
        const double right =
            i + 1 == query->bins ? range->high : range->low + width * (double)(i + 1);

        TRY(api_json_push(array, json_pack("[f,f,f]", left, right, counts[i]), err));
    }
    *out = TAKE(array);
    return OK;
}

/* [[basis point, value], ...] */
static enum err_code
describe_lines(const struct snapshot_record *snapshot, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (int i = 0; snapshot->point_count > 0 && i < LINES; i++)
        TRY(api_json_push(array,
                          json_pack("[i,f]", basis_points[i],
                                    history_quantile(snapshot, basis_points[i] / 10000.0)),
                          err));
    *out = TAKE(array);
    return OK;
}

/* [[wall time, step, what of it], ...] */
static enum err_code
describe_events(const struct picks *picks, const struct history_range *range,
                const struct query *query, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (size_t i = 0; i < picks->count; i++) {
        const struct snapshot_record *snapshot = picks->list[i];
        json_t *what = NULL;

        TRY(query->form == FORM_HISTOGRAMS ? describe_triples(snapshot, range, query, &what, err)
                                           : describe_lines(snapshot, &what, err));
        TRY(api_json_push(
            array,
            json_pack("[o,I,o]", seconds_of(snapshot), (json_int_t)history_step(snapshot), what),
            err));
    }
    *out = TAKE(array);
    return OK;
}

static enum err_code
describe_all(struct api_request *rq, const struct look *look, const struct history *history,
             const struct picks *picks, const struct history_range *range,
             const struct query *query, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL, *series = NULL, *points = NULL;
    const enum dtype dtype = look->value.type.dtype;

    TRY(api_json_made(json_array(), &series, err));
    for (size_t i = 0; i < picks->count; i++) {
        json_t *one = NULL;

        TRY(describe_snapshot(picks->list[i], dtype, range, query, &one, err));
        TRY(api_json_push(series, one, err));
    }
    TRY(api_json_made(json_array(), &points, err));
    for (int i = 0; i < LINES; i++)
        TRY(api_json_push(points, json_integer(basis_points[i]), err));
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(api_request_name(rq)), err));
    TRY(api_json_set(json, "dtype", json_string(dtype_name(dtype)), err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)look->value.revision), err));
    TRY(api_json_set(json, "spacing", json_integer((json_int_t)history->spacing), err));
    TRY(api_json_set(json, "lo", json_real(range->low), err));
    TRY(api_json_set(json, "hi", json_real(range->high), err));
    TRY(api_json_set(json, "bins", json_integer((json_int_t)query->bins), err));
    TRY(api_json_set(json, "basis_points", TAKE(points), err));
    TRY(api_json_set(json, "series", TAKE(series), err));
    *out = TAKE(json);
    return OK;
}

/* Which snapshots there are follows from the newest one and how many they are; the value is told
 * with the step of now. */
static enum err_code
reply_etag(struct api_request *rq, struct api_reply *rp, const struct query *query,
           const struct look *look, const struct history *history, bool *done, struct err *err)
{
    const uint64_t newest = history->count > 0 ? history->snapshots[history->count - 1].version : 0;
    char part[API_REPRESENTATION_BYTES_MAX], step[24] = "";
    char representation[2 * API_REPRESENTATION_BYTES_MAX];

    if (look->has_step && newest != look->value.version)
        snprintf(step, sizeof step, "-%" PRId64, look->step);
    snprintf(representation, sizeof representation, "%s-v%" PRIx64 "-%zu%s",
             api_representation(rq, forms[query->form].name, part), newest, history->count, step);
    return api_reply_etag(rq, rp, look->value.revision, representation, done, err);
}

enum err_code
api_histograms(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const struct look_spec spec = {.model = api_request_model(rq), .name = api_request_name(rq)};
    AUTO(look) look = {.snapshot = NULL};
    AUTO(history) history = {.count = 0};
    struct history_range range;
    struct query query = {.form = FORM_JSON};
    struct picks picks;
    json_t *json = NULL;
    bool done = false;

    TRY(take_query(rq, rp, &query, err));
    TRY(look_open(api_request_service(rq), &spec, &look, err));
    TRY(history_read(&look, &history, err));
    TRY(reply_etag(rq, rp, &query, &look, &history, &done, err));
    if (done)
        return OK;
    TRY(history_add_current(&look, &history, err));
    TRY(pick(rq, &query, &history, &picks, err));
    TRY(find_range(&query, &picks, &range, err));
    if (query.form == FORM_JSON)
        TRY(describe_all(rq, &look, &history, &picks, &range, &query, &json, err));
    else
        TRY(describe_events(&picks, &range, &query, &json, err));
    return api_reply_json(rp, 200, json, err);
}
