/* Kernels on devices: on the host where the bytes lie; elsewhere what a call reads is uploaded,
 * what it writes downloaded. */
#include "service/device/engine.h"

#include "store/base/check.h"
#include "store/base/scope.h"

enum { OPERANDS_MAX = 3 + 2 * OPTIMIZER_SLOTS_MAX };

enum err_code
device_open(struct device *device, uint32_t threads, struct err *err)
{
    TRY(device->kind->engine->open(device, threads, err));
    device->opened = true;
    return OK;
}

void
device_close(struct device *device)
{
    if (device->opened)
        device->kind->engine->close(device);
    device->opened = false;
}

bool
device_is_apart(const struct device *device)
{
    return device != NULL && device->kind->engine->allocate != NULL;
}

enum err_code
device_memory_open(const struct device *device, uint64_t size, struct device_memory *out,
                   struct err *err)
{
    *out = (struct device_memory){0};
    TRY(device->kind->engine->allocate(device, size, &out->at, err));
    out->device = device;
    return OK;
}

void
device_memory_drop(struct device_memory *memory)
{
    if (memory->device != NULL)
        memory->device->kind->engine->release(memory->device, memory->at);
    *memory = (struct device_memory){0};
}

/* --- a call elsewhere ---------------------------------------------------------------------- */

/* The host's elements of a call, each with memory of its own on the device. */
struct moved {
    const struct device *device;
    struct device_memory memory[OPERANDS_MAX]; /* owned */
    void *written[OPERANDS_MAX];               /* on the host; NULL: only read */
    uint64_t sizes[OPERANDS_MAX];
    uint32_t count;
};

static void
moved_drop(struct moved *moved)
{
    for (uint32_t i = 0; i < moved->count; i++)
        device_memory_drop(&moved->memory[i]);
}

static enum err_code
move(struct moved *moved, uint64_t size, void **at, struct err *err)
{
    CHECK(moved->count < OPERANDS_MAX);
    TRY(device_memory_open(moved->device, size, &moved->memory[moved->count], err));
    moved->sizes[moved->count] = size;
    *at = moved->memory[moved->count++].at;
    return OK;
}

/* What is read. *data NULL stays so: it is not wanted. */
static enum err_code
move_in(struct moved *moved, uint64_t size, const void **data, struct err *err)
{
    const void *from = *data;
    void *at = NULL;

    if (from == NULL)
        return OK;
    TRY(move(moved, size, &at, err));
    *data = at;
    return moved->device->kind->engine->upload(moved->device, at, 0, from, size, err);
}

/* What is written. */
static enum err_code
move_out(struct moved *moved, uint64_t size, void **data, struct err *err)
{
    if (*data == NULL)
        return OK;
    moved->written[moved->count] = *data;
    return move(moved, size, data, err);
}

static enum err_code
move_operand(struct moved *moved, const struct device_call *call, struct kernel_operand *operand,
             struct err *err)
{
    uint64_t count = operand->step == 0 ? 1 : call->count;

    return move_in(moved, count * dtype_size(call->dtype), &operand->data, err);
}

static enum err_code
move_tile(struct moved *moved, uint64_t size, struct optimizer_tile *tile, struct err *err)
{
    TRY(move_in(moved, size, &tile->variable, err));
    TRY(move_in(moved, size, &tile->gradient, err));
    TRY(move_out(moved, size, &tile->variable_out, err));
    for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++) {
        TRY(move_in(moved, size, &tile->slots[i], err));
        TRY(move_out(moved, size, &tile->slots_out[i], err));
    }
    return OK;
}

/* The pointers of `call` become the device's. */
static enum err_code
move_call(struct moved *moved, struct device_call *call, struct err *err)
{
    uint64_t size = call->count * dtype_size(call->dtype);
    void *target = call->scatter.target;

    switch (call->kernel) {
    case DEVICE_BINARY:
        TRY(move_operand(moved, call, &call->binary.a, err));
        TRY(move_operand(moved, call, &call->binary.b, err));
        return move_out(moved, size, &call->binary.out, err);
    case DEVICE_SCATTER:
        TRY(move_operand(moved, call, &call->scatter.update, err));
        TRY(move_out(moved, size, &call->scatter.target, err));
        return moved->device->kind->engine->upload(moved->device, call->scatter.target, 0, target,
                                                   size, err);
    case DEVICE_STEP:
        return move_tile(moved, size, &call->step.tile, err);
    }
    return err_set(err, ERR_INTERNAL, "a kernel of kind %d", (int)call->kernel);
}

static enum err_code
run_apart(const struct device *device, const struct device_call *call, struct err *err)
{
    const struct device_engine *engine = device->kind->engine;
    AUTO(moved) moved = {.device = device};
    struct device_call there = *call;

    if (call->count == 0)
        return OK;
    TRY(move_call(&moved, &there, err));
    TRY(engine->run(device, &there, err));
    for (uint32_t i = 0; i < moved.count; i++)
        if (moved.written[i] != NULL)
            TRY(engine->download(device, moved.memory[i].at, 0, moved.written[i], moved.sizes[i],
                                 err));
    return OK;
}

/* --- kernels ------------------------------------------------------------------------------- */

enum err_code
device_binary(const struct device *device, enum kernel_binary op, enum dtype dtype,
              struct kernel_operand a, struct kernel_operand b, void *out, uint64_t count,
              struct err *err)
{
    if (!device_is_apart(device))
        return kernel_binary(op, dtype, a, b, out, count, err);
    return run_apart(device,
                     &(struct device_call){
                         .kernel = DEVICE_BINARY,
                         .dtype = dtype,
                         .count = count,
                         .binary = {.op = op, .a = a, .b = b, .out = out},
                     },
                     err);
}

enum err_code
device_scatter_row(const struct device *device, enum kernel_scatter op, enum dtype dtype,
                   void *target, struct kernel_operand update, uint64_t count, struct err *err)
{
    if (!device_is_apart(device)) {
        kernel_scatter_row(op, dtype, target, update, count);
        return OK;
    }
    return run_apart(device,
                     &(struct device_call){
                         .kernel = DEVICE_SCATTER,
                         .dtype = dtype,
                         .count = count,
                         .scatter = {.op = op, .target = target, .update = update},
                     },
                     err);
}

enum err_code
device_step(const struct device *device, const struct optimizer *optimizer,
            const struct optimizer_step *step, const struct optimizer_tile *tile, struct err *err)
{
    if (!device_is_apart(device)) {
        optimizer->apply(step, tile);
        return OK;
    }
    return run_apart(device,
                     &(struct device_call){
                         .kernel = DEVICE_STEP,
                         .dtype = step->dtype,
                         .count = tile->count,
                         .step = {.optimizer = optimizer, .step = step, .tile = *tile},
                     },
                     err);
}
