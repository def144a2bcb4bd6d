/* Engines: how devices compute.
 *
 * A kind of device is one line in kinds.def and one file, as cpu.c is, that has a `const struct
 * device_kind`; with an engine in it, each task has such devices. Another one than the CPU's gives:
 *
 *   count, open, close
 *              how many there are, and what each of them needs from its first to its last call
 *   allocate, release, upload, download
 *              its memory, when that is not the host's: pointers into it are the engine's own
 *              business and nothing else follows them. Values live in the store, on the host: what
 *              a kernel reads is uploaded before it and what it writes downloaded after it, and
 *              nothing stays on a device but the result of an expression while it is read.
 *   run        the kernels of updates (enum device_kernel), on its memory. For every dtype that the
 *              kind's has_kernel names it has all of them, with every operation of that dtype; what
 *              it has not the placer refuses: "no supported kernel for GPU devices is available".
 *   has_op, op expressions, node by node, each result in the device's memory. An expression with a
 *              node that it has not is computed by the host.
 *
 * Bits are to be the same as the host's: service/tensor/kernels.h, scatter.h and
 * service/training/optimizer.h say what each kernel computes and how it is rounded. Errors are
 * those that they name, and ERR_NO_MEMORY when the device's memory is used up. All functions are
 * called by any thread, several at a time. The host itself computes where the bytes lie: it
 * allocates nothing, copies nothing, and cuts expressions into tiles (service/expr/evaluation.h).
 *
 * The host computes whatever is not said of a variable: what reads ask for, learning rates and
 * other scalars, norms and statistics, and sums of contributions, which TensorFlow has on CPUs
 * only.
 *
 * tests/support/twin_device.c is an engine whose memory nobody else can reach. */
#ifndef SERVICE_DEVICE_ENGINE_H
#define SERVICE_DEVICE_ENGINE_H

#include "service/device/device.h"
#include "service/expr/op.h"
#include "service/tensor/scatter.h"
#include "service/training/optimizer.h"

enum device_kernel {
    DEVICE_BINARY,  /* kernel_binary: assign_add, averages, scaled gradients */
    DEVICE_SCATTER, /* kernel_scatter_row: rows and slices */
    DEVICE_STEP,    /* optimizer->apply: steps of optimizers */
};

/* What a kernel is to do to `count` elements. Pointers to elements are into the device's memory,
 * all else is the host's. */
struct device_call {
    enum device_kernel kernel;
    enum dtype dtype;
    uint64_t count;
    union {
        struct {
            enum kernel_binary op;
            struct kernel_operand a, b;
            void *out;
        } binary;
        struct {
            enum kernel_scatter op;
            void *target;
            struct kernel_operand update;
        } scatter;
        struct {
            const struct optimizer *optimizer;
            const struct optimizer_step *step;
            struct optimizer_tile tile;
        } step;
    };
};

struct device_engine {
    /* How many of them each task has; cpu_devices: the setting. The same whenever it is asked. */
    uint32_t (*count)(uint32_t cpu_devices);
    /* Before anything is asked of the device, and after everything was. `threads` of the host may
     * work together for it. What open makes for itself is in device->state. */
    ERR_MUST_CHECK enum err_code (*open)(struct device *device, uint32_t threads, struct err *err);
    void (*close)(struct device *device);
    /* NULL, all four and run: the host's memory. Allocated memory is aligned for any element; its
     * contents are whatever they are. */
    ERR_MUST_CHECK enum err_code (*allocate)(const struct device *device, uint64_t size, void **out,
                                             struct err *err);
    void (*release)(const struct device *device, void *memory);
    /* Bytes [offset, offset + size) of what was allocated at `memory`. */
    ERR_MUST_CHECK enum err_code (*upload)(const struct device *device, void *memory,
                                           uint64_t offset, const void *from, uint64_t size,
                                           struct err *err);
    ERR_MUST_CHECK enum err_code (*download)(const struct device *device, const void *memory,
                                             uint64_t offset, void *to, uint64_t size,
                                             struct err *err);
    ERR_MUST_CHECK enum err_code (*run)(const struct device *device, const struct device_call *call,
                                        struct err *err);
    /* The whole result of a node into `out`; args: the whole results of its arguments, which have
     * the types of node->args. NULL, both: the host computes expressions. */
    bool (*has_op)(const struct expr *node);
    ERR_MUST_CHECK enum err_code (*op)(const struct device *device, const struct expr *node,
                                       const void *const *args, void *out, struct err *err);
};

/* --- for those who compute; device NULL: the host ------------------------------------------ */

/* Whether its memory is its own. */
bool device_is_apart(const struct device *device);

/* kernel_binary, kernel_scatter_row and optimizer->apply on the device; all pointers are to the
 * host's memory. */
ERR_MUST_CHECK enum err_code device_binary(const struct device *device, enum kernel_binary op,
                                           enum dtype dtype, struct kernel_operand a,
                                           struct kernel_operand b, void *out, uint64_t count,
                                           struct err *err);
ERR_MUST_CHECK enum err_code device_scatter_row(const struct device *device, enum kernel_scatter op,
                                                enum dtype dtype, void *target,
                                                struct kernel_operand update, uint64_t count,
                                                struct err *err);
ERR_MUST_CHECK enum err_code device_step(const struct device *device,
                                         const struct optimizer *optimizer,
                                         const struct optimizer_step *step,
                                         const struct optimizer_tile *tile, struct err *err);

/* Memory of a device, for as long as a scope lasts. */
struct device_memory {
    const struct device *device; /* borrowed */
    void *at;
};
ERR_MUST_CHECK enum err_code device_memory_open(const struct device *device, uint64_t size,
                                                struct device_memory *out, struct err *err);
void device_memory_drop(struct device_memory *memory); /* a zeroed one is fine */

#endif
