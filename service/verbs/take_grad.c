/* take_grad: the average of what an accumulator was given, which empties it and is a step of it.
 * The order of checks and the words are those of TensorFlow's conditional accumulators. */
#include <inttypes.h>

#include "service/run/verb.h"
#include "service/training/accumulator_change.h"

static enum err_code
check_elements(const struct accumulator_change *change, uint64_t elements, uint64_t elements_max,
               struct err *err)
{
    if (elements <= elements_max)
        return OK;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "take_grad from '%s': the average has %" PRIu64 " elements, JSON takes %" PRIu64
                   " (setting max_json_elements)",
                   change->name, elements, elements_max);
}

static enum err_code
take_dense(struct run *run, const struct accumulator_change *change, struct accumulator_result *out,
           struct err *err)
{
    const struct sum_record *sum = &change->before.sum;
    uint64_t step = ACCUMULATION_PIECE_BYTES / dtype_size(sum->type.dtype);
    uint64_t total = shape_count(&sum->type.shape);
    AUTO(accumulation_average) average = {.open = false};

    TRY(draft_work(run->draft, sum->values.size, err));
    TRY(tensor_init(&out->values, &sum->type, tensor_type_bytes(&sum->type), err));
    TRY(accumulation_average_open(run->draft->view, sum, change->before.num_accumulated, &average,
                                  err));
    for (uint64_t first = 0; first < total; first += step)
        TRY(accumulation_average_read(&average, first, total - first < step ? total - first : step,
                                      NULL, out->values.data + first * dtype_size(sum->type.dtype),
                                      err));
    return OK;
}

static enum err_code
take_sparse(struct run *run, const struct accumulator_change *change,
            struct accumulator_result *out, struct err *err)
{
    const struct sum_record *sum = &change->before.sum;
    struct tensor_type numbers = {.dtype = DTYPE_INT64, .shape = {.rank = 1}};
    struct tensor_type values = sum->type;
    AUTO(accumulation_rows) rows = {0};

    TRY(draft_work(run->draft, sum->values.size, err));
    TRY(accumulation_rows_load(run->draft->view, sum, &rows, err));
    TRY(accumulation_rows_average(&rows, sum->type.dtype, err));
    numbers.shape.dims[0] = rows.count;
    values.shape.dims[0] = rows.count;
    out->sparse = true;
    TRY(tensor_init(&out->numbers, &numbers, tensor_type_bytes(&numbers), err));
    TRY(tensor_init(&out->values, &values, tensor_type_bytes(&values), err));
    memcpy(out->numbers.data, rows.numbers, (size_t)out->numbers.size);
    memcpy(out->values.data, rows.values, (size_t)out->values.size);
    return OK;
}

static enum err_code
check_required(const struct accumulator_change *change, const struct accumulator_request *request,
               struct err *err)
{
    if (request->num_required <= 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Argument num_required must be positive, but was %" PRId64,
                       request->num_required);
    if (request->num_required <= change->before.num_accumulated)
        return OK;
    if (request->lacking != NULL)
        *request->lacking = true;
    return err_set(err, ERR_FAILED_PRECONDITION,
                   "accumulator '%s' has %" PRIu32 " gradients, %" PRId64 " are required",
                   change->name, change->before.num_accumulated, request->num_required);
}

static enum err_code
grad_take(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    const struct accumulator_request *request = op->accumulator;
    struct accumulator_change *change = NULL;
    const struct sum_record *sum;
    uint64_t elements;

    if (request->lacking != NULL)
        *request->lacking = false;
    TRY(accumulator_change_open(run, op, out, &change, err));
    TRY(accumulator_about(check_required(change, request, err), change->name, err));
    sum = &change->before.sum;
    elements = sum->sparse ? sum->values.size / dtype_size(sum->type.dtype) + sum->rows
                           : shape_count(&sum->type.shape);
    TRY(accumulator_about(check_elements(change, elements, request->elements_max, err),
                          change->name, err));
    TRY(sum->sparse ? take_sparse(run, change, out->accumulator, err)
                    : take_dense(run, change, out->accumulator, err));
    out->accumulator->num_taken = change->before.num_accumulated;
    change->after.num_accumulated = 0;
    change->after.global_step = (int64_t)((uint64_t)change->before.global_step + 1);
    return accumulator_change_close(run, change, out, err);
}

const struct verb verb_take_grad = {
    .name = "take_grad",
    .summary = "Takes the average of an accumulator's gradients, which is a step of it.",
    .fields = VERB_ACCUMULATOR | VERB_NUM_REQUIRED | VERB_DEVICE,
    .apply = grad_take,
};
