#include "tests/support/twin_device.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "service/expr/evaluation.h"
#include "store/base/check.h"
#include "store/base/lock.h"
#include "store/base/scope.h"

enum { BUFFERS_MAX = 8192, PAGE = 4096, NONSENSE = 0xDB };

struct buffer {
    uint8_t *at;
    uint64_t size;
};

/* The lock is held while memory can be touched, and while a kernel runs. */
struct twin {
    struct lock lock;
    struct buffer buffers[BUFFERS_MAX]; /* at NULL: free */
    struct twin_counts counts;
    uint64_t left; /* allocations that succeed */
};

static struct twin *
twin_of(const struct device *device)
{
    CHECK(device->kind == &twin_kind && device->opened);
    return device->state;
}

static uint32_t
twin_count(uint32_t cpu_devices)
{
    return cpu_devices;
}

static enum err_code
twin_open(struct device *device, uint32_t threads, struct err *err)
{
    struct twin *twin = calloc(1, sizeof *twin);

    (void)threads;
    (void)err;
    CHECK(twin != NULL);
    lock_init(&twin->lock);
    twin->left = UINT64_MAX;
    device->state = twin;
    return OK;
}

static void
twin_close(struct device *device)
{
    struct twin *twin = twin_of(device);

    CHECK(twin->counts.held == 0); /* a buffer that nobody released */
    lock_drop(&twin->lock);
    free(twin);
    device->state = NULL;
}

/* --- memory -------------------------------------------------------------------------------- */

static size_t
pages(uint64_t size)
{
    return (size_t)((size + PAGE - 1) / PAGE * PAGE);
}

static struct buffer *
find(struct twin *twin, const void *at)
{
    for (size_t i = 0; at != NULL && i < BUFFERS_MAX; i++)
        if (twin->buffers[i].at == at)
            return &twin->buffers[i];
    CHECK(at == NULL); /* no pointer of this device's */
    return NULL;
}

static struct buffer *
find_free(struct twin *twin)
{
    for (size_t i = 0; i < BUFFERS_MAX; i++)
        if (twin->buffers[i].at == NULL)
            return &twin->buffers[i];
    CHECK(false);
    return NULL;
}

static void
show(struct twin *twin, const void *at, bool shown)
{
    const struct buffer *buffer = find(twin, at);

    if (buffer != NULL)
        CHECK(mprotect(buffer->at, pages(buffer->size),
                       shown ? PROT_READ | PROT_WRITE : PROT_NONE) == 0);
}

static enum err_code
twin_allocate(const struct device *device, uint64_t size, void **out, struct err *err)
{
    struct twin *twin = twin_of(device);
    struct buffer *buffer;

    CHECK(size > 0);
    lock_acquire(&twin->lock);
    if (twin->left == 0) {
        lock_release(&twin->lock);
        return err_set(err, ERR_NO_MEMORY, "the device's memory is used up");
    }
    if (twin->left != UINT64_MAX)
        twin->left--;
    buffer = find_free(twin);
    buffer->at =
        mmap(NULL, pages(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(buffer->at != MAP_FAILED);
    buffer->size = size;
    memset(buffer->at, NONSENSE, pages(size));
    show(twin, buffer->at, false);
    twin->counts.allocated++;
    twin->counts.held++;
    *out = buffer->at;
    lock_release(&twin->lock);
    return OK;
}

static void
twin_release(const struct device *device, void *memory)
{
    struct twin *twin = twin_of(device);
    struct buffer *buffer;

    lock_acquire(&twin->lock);
    buffer = find(twin, memory);
    CHECK(buffer != NULL && munmap(buffer->at, pages(buffer->size)) == 0);
    buffer->at = NULL;
    twin->counts.held--;
    lock_release(&twin->lock);
}

/* The bytes of a buffer to or from the host's. */
static void
copy(struct twin *twin, const void *memory, uint64_t offset, void *to, const void *from,
     uint64_t size)
{
    struct buffer *buffer = find(twin, memory);

    CHECK(buffer != NULL && offset <= buffer->size && size <= buffer->size - offset);
    show(twin, memory, true);
    if (to == NULL)
        memcpy(buffer->at + offset, from, (size_t)size);
    else
        memcpy(to, buffer->at + offset, (size_t)size);
    show(twin, memory, false);
}

static enum err_code
twin_upload(const struct device *device, void *memory, uint64_t offset, const void *from,
            uint64_t size, struct err *err)
{
    struct twin *twin = twin_of(device);

    (void)err;
    lock_acquire(&twin->lock);
    copy(twin, memory, offset, NULL, from, size);
    twin->counts.uploaded += size;
    lock_release(&twin->lock);
    return OK;
}

static enum err_code
twin_download(const struct device *device, const void *memory, uint64_t offset, void *to,
              uint64_t size, struct err *err)
{
    struct twin *twin = twin_of(device);

    (void)err;
    lock_acquire(&twin->lock);
    copy(twin, memory, offset, to, NULL, size);
    twin->counts.downloaded += size;
    lock_release(&twin->lock);
    return OK;
}

/* --- kernels ------------------------------------------------------------------------------- */

static void
show_call(struct twin *twin, const struct device_call *call, bool shown)
{
    switch (call->kernel) {
    case DEVICE_BINARY:
        show(twin, call->binary.a.data, shown);
        show(twin, call->binary.b.data, shown);
        show(twin, call->binary.out, shown);
        return;
    case DEVICE_SCATTER:
        show(twin, call->scatter.target, shown);
        show(twin, call->scatter.update.data, shown);
        return;
    case DEVICE_STEP:
        show(twin, call->step.tile.variable, shown);
        show(twin, call->step.tile.gradient, shown);
        show(twin, call->step.tile.variable_out, shown);
        for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++) {
            show(twin, call->step.tile.slots[i], shown);
            show(twin, call->step.tile.slots_out[i], shown);
        }
        return;
    }
}

/* As the host has them. */
static enum err_code
kernel(const struct device_call *call, struct err *err)
{
    switch (call->kernel) {
    case DEVICE_BINARY:
        return kernel_binary(call->binary.op, call->dtype, call->binary.a, call->binary.b,
                             call->binary.out, call->count, err);
    case DEVICE_SCATTER:
        kernel_scatter_row(call->scatter.op, call->dtype, call->scatter.target,
                           call->scatter.update, call->count);
        return OK;
    case DEVICE_STEP:
        call->step.optimizer->apply(call->step.step, &call->step.tile);
        return OK;
    }
    return err_set(err, ERR_INTERNAL, "no such kernel");
}

static enum err_code
twin_run(const struct device *device, const struct device_call *call, struct err *err)
{
    struct twin *twin = twin_of(device);
    enum err_code code;

    lock_acquire(&twin->lock);
    show_call(twin, call, true);
    code = kernel(call, err);
    show_call(twin, call, false);
    twin->counts.kernels++;
    lock_release(&twin->lock);
    return code;
}

/* --- ops ----------------------------------------------------------------------------------- */

static bool
twin_has_op(const struct expr *node)
{
    for (uint32_t i = 0; i < node->arg_count; i++)
        if (node->args[i]->type.dtype == DTYPE_STRING)
            return false;
    return node->type.dtype != DTYPE_STRING;
}

static void
drop(struct evaluator **e)
{
    evaluator_drop(*e);
}

static void
free_scope(void *pointer)
{
    free(*(void **)pointer);
}

/* The node alone, over literals that lie in the device's memory. */
static enum err_code
evaluate(const struct expr *node, const void *const *args, void *out, struct err *err)
{
    const struct evaluator_options options = {.bytes_max = UINT64_MAX,
                                              .operations_max = UINT64_MAX};
    uint32_t count = node->arg_count;
    AUTO_CALL(free_scope) struct expr *literals = calloc(count + 1, sizeof *literals);
    AUTO_CALL(free_scope) struct expr **nodes = calloc(count + 1, sizeof(struct expr *));
    AUTO_CALL(drop) struct evaluator *e = NULL;
    struct expr alone = *node;
    struct expr_tree tree = {.root = &alone, .nodes = nodes, .node_count = count + 1};

    CHECK(literals != NULL && nodes != NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct tensor_type *type = &node->args[i]->type;
        struct tensor_view view = {.type = *type, .data = args[i], .size = tensor_type_bytes(type)};

        literals[i] = (struct expr){.kind = EXPR_LITERAL,
                                    .type = *type,
                                    .literal = view,
                                    .settled = view,
                                    .path = node->args[i]->path,
                                    .index = i};
        nodes[i] = &literals[i];
    }
    alone.args = nodes;
    alone.index = count;
    nodes[count] = &alone;
    TRY(evaluator_open(&tree, NULL, &options, &e, err));
    return evaluator_read(e, 0, shape_count(&node->type.shape), out, err);
}

static enum err_code
twin_op(const struct device *device, const struct expr *node, const void *const *args, void *out,
        struct err *err)
{
    struct twin *twin = twin_of(device);
    enum err_code code;

    lock_acquire(&twin->lock);
    for (uint32_t i = 0; i < node->arg_count; i++)
        show(twin, args[i], true);
    show(twin, out, true);
    code = evaluate(node, args, out, err);
    for (uint32_t i = 0; i < node->arg_count; i++)
        show(twin, args[i], false);
    show(twin, out, false);
    twin->counts.ops++;
    lock_release(&twin->lock);
    return code;
}

/* --- the kind ------------------------------------------------------------------------------ */

static bool
has_kernel(enum dtype dtype)
{
    return dtype < DTYPE_COUNT;
}

static const struct device_engine engine = {
    .count = twin_count,
    .open = twin_open,
    .close = twin_close,
    .allocate = twin_allocate,
    .release = twin_release,
    .upload = twin_upload,
    .download = twin_download,
    .run = twin_run,
    .has_op = twin_has_op,
    .op = twin_op,
};

const struct device_kind twin_kind = {
    .type = "CPU",
    .priority = 70,
    .has_kernel = has_kernel,
    .engine = &engine,
};

void
twin_device_open(struct device *out)
{
    *out = (struct device){.name = "/job:localhost/replica:0/task:0/cpu:0", .kind = &twin_kind};
    CHECK(device_open(out, 1, NULL) == OK);
}

struct twin_counts
twin_device_counts(const struct device *device)
{
    struct twin *twin = twin_of(device);
    struct twin_counts counts;

    lock_acquire(&twin->lock);
    counts = twin->counts;
    lock_release(&twin->lock);
    return counts;
}

void
twin_device_fail_after(const struct device *device, uint64_t n)
{
    struct twin *twin = twin_of(device);

    lock_acquire(&twin->lock);
    twin->left = n;
    lock_release(&twin->lock);
}
