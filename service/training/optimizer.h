/* An optimizer: one const struct in one file of service/optimizers/, one line in
 * service/optimizers/list.def. Formulas only: what becomes of the elements of a variable and of its
 * slots, given those of a gradient. Knows no storage.
 *
 * Arithmetic is TensorFlow's: in the variable's dtype, every operation rounded to it, no fused
 * multiply-add, the same bits on every processor and for every split of the elements. */
#ifndef SERVICE_TRAINING_OPTIMIZER_H
#define SERVICE_TRAINING_OPTIMIZER_H

#include "service/expr/attr.h"
#include "service/expr/op.h"

enum {
    OPTIMIZER_SLOTS_MAX = 3,
    OPTIMIZER_POWERS_MAX = 2,
    OPTIMIZER_SUMS_MAX = 2,
    OPTIMIZER_PARAMS_BYTES_MAX = 64,
    OPTIMIZER_FACTORS_BYTES_MAX = 128,
};

/* A variable of the dtype and shape of the one that is trained. Its name there is
 * `<variable>/<tf_name>`, from the second that is wanted on `<variable>/<tf_name>_1` … */
struct optimizer_slot {
    const char *name;         /* for get_slot: "m" */
    const char *initial_attr; /* the hyper-parameter it starts at; NULL: initial */
    double initial;
    bool (*wanted)(const void *params); /* NULL: always */
};

/* A scalar of the whole optimizer (optimizer_power_dtype): starts at a hyper-parameter and is
 * multiplied by it once per apply, however many variables that updates. */
struct optimizer_power {
    const char *name; /* "beta1_power" */
    const char *attr; /* "beta1" */
};

/* What is the same for all elements of a variable in one apply. Borrows params. */
struct optimizer_step {
    const void *params;
    enum dtype dtype; /* of the variable, its slots and its gradient */
    bool sparse;      /* the gradient came by rows */
    double learning_rate;
    double powers[OPTIMIZER_POWERS_MAX]; /* before this apply */
    int64_t global_step;                 /* before this apply; of needs_global_step only */
    double sums[OPTIMIZER_SUMS_MAX];     /* from measure */
};

/* Elements of one variable, element-aligned. Where slots are not wanted, NULL. An output may be the
 * memory of its own input, and no other. Borrows all of it. */
struct optimizer_tile {
    uint64_t count;
    const void *variable;
    const void *gradient; /* NULL: of rows that a sparse gradient does not list */
    const void *slots[OPTIMIZER_SLOTS_MAX];
    void *variable_out;
    void *slots_out[OPTIMIZER_SLOTS_MAX];
};

/* The arithmetic of one element; private to service/optimizers (optimizer_element.h). */
struct optimizer_element {
    double variable, gradient;
    double slots[OPTIMIZER_SLOTS_MAX];
};
typedef void optimizer_formula(enum dtype dtype, const void *factors, struct optimizer_element *e);

struct device; /* service/device/device.h */

struct optimizer {
    const char *name;    /* "adam" */
    const char *tf_name; /* TensorFlow's default name, of which slots are called: "Adam" */
    const char *summary; /* one sentence for the catalogue */
    const struct attr_spec *attrs; /* all hyper-parameters but learning_rate; ends with ATTR_END */
    size_t params_size;
    bool learning_rate_required;
    double learning_rate_default;
    struct optimizer_slot slots[OPTIMIZER_SLOTS_MAX]; /* in the order made; NULL names end them */
    struct optimizer_power powers[OPTIMIZER_POWERS_MAX]; /* likewise */
    uint32_t dtypes;                                     /* OP_DTYPE bits */
    bool needs_global_step;
    /* Not in r1.0: its hyper-parameters go to the variable's dtype directly, not by way of float32.
     */
    bool extension;
    /* A sparse gradient changes every row, not only those it lists. NULL: never. Then rows it does
     * not list are applied as well, without a gradient. */
    bool (*every_row)(const void *params);
    /* What TensorFlow's constructor refuses, in its words. ERR_INVALID_ARGUMENT. NULL: nothing. */
    ERR_MUST_CHECK enum err_code (*check)(const void *params, struct err *err);
    /* What its kernels refuse of a learning rate and params in the variable's dtype. NULL: nothing.
     */
    ERR_MUST_CHECK enum err_code (*check_step)(const struct optimizer_step *step, struct err *err);
    /* Adds this tile's part of sums over the whole variable, which apply needs (step->sums);
     * outputs are not looked at. The caller fixes the order, for the sake of the bits. NULL: none;
     * only for what the apply goes over: a sparse gradient without every_row is not measured. */
    void (*measure)(const struct optimizer_step *step, const struct optimizer_tile *tile,
                    double sums[static OPTIMIZER_SUMS_MAX]);
    void (*apply)(const struct optimizer_step *step, const struct optimizer_tile *tile);
    /* What apply makes its loops of: factors from the step, then one element after the other. */
    size_t factors_size;
    void (*factors)(const struct optimizer_step *step, void *factors);
    optimizer_formula *dense;    /* with a gradient for every element */
    optimizer_formula *listed;   /* of rows that a sparse gradient lists; NULL: as dense */
    optimizer_formula *unlisted; /* without a gradient; with every_row only */
};

#define OPTIMIZER(name) extern const struct optimizer optimizer_##name;
#include "service/optimizers/list.def"
#undef OPTIMIZER

enum {
#define OPTIMIZER(name) OPTIMIZER_NUMBER_##name,
#include "service/optimizers/list.def"
#undef OPTIMIZER
    OPTIMIZER_COUNT
};

/* NULL when there is none. */
const struct optimizer *optimizer_find(struct bytes name);
/* The i-th of the table, NULL past the end; for the catalogue. */
const struct optimizer *optimizer_at(size_t index);
/* Its place in the table. */
size_t optimizer_index(const struct optimizer *optimizer);
/* The known name nearest to `name`, for messages; NULL when none is near. Static. */
const char *optimizer_nearest(struct bytes name);

/* A learning rate given as a number, as the optimizer takes it: by way of float32, but for
 * extensions. One read from a variable or computed in float64 needs none of this. */
double optimizer_learning_rate(const struct optimizer *optimizer, double number);

uint32_t optimizer_slot_count(const struct optimizer *optimizer); /* wanted or not */
bool optimizer_slot_wanted(const struct optimizer *optimizer, uint32_t slot, const void *params);
/* The value of every element of a fresh slot. */
double optimizer_slot_initial(const struct optimizer *optimizer, uint32_t slot, const void *params);

uint32_t optimizer_power_count(const struct optimizer *optimizer);
/* float32, whatever the variables are; of extensions float64. */
enum dtype optimizer_power_dtype(const struct optimizer *optimizer);
double optimizer_power_initial(const struct optimizer *optimizer, uint32_t power,
                               const void *params);
/* What `value` becomes by an apply. */
double optimizer_power_next(const struct optimizer *optimizer, uint32_t power, const void *params,
                            double value);

bool optimizer_every_row(const struct optimizer *optimizer, const void *params);
/* The dtype, and what the kernels check: ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code optimizer_check_step(const struct optimizer *optimizer,
                                                  const struct optimizer_step *step,
                                                  struct err *err);

/* optimizer->apply, one element at a time: what apply must compute, bit for bit. */
void optimizer_apply_plain(const struct optimizer *optimizer, const struct optimizer_step *step,
                           const struct optimizer_tile *tile);

/* A sparse gradient, each row once (sparse_sum_duplicates). Borrows all of it. */
struct optimizer_rows {
    uint64_t width; /* elements of a row */
    uint64_t count;
    const uint64_t *rows;  /* row numbers */
    const uint64_t *order; /* positions in rows by ascending row (sparse_order) */
    const void *gradient;  /* count * width elements */
};

/* measure, and apply on a device (NULL: the host), on a range of the variable that begins with its
 * element `first`, listed rows and others, of an optimizer with every_row. tile->gradient is not
 * looked at. */
void optimizer_measure_rows(const struct optimizer *optimizer, const struct optimizer_step *step,
                            const struct optimizer_rows *rows, uint64_t first,
                            const struct optimizer_tile *tile,
                            double sums[static OPTIMIZER_SUMS_MAX]);
ERR_MUST_CHECK enum err_code
optimizer_apply_rows(const struct device *device, const struct optimizer *optimizer,
                     const struct optimizer_step *step, const struct optimizer_rows *rows,
                     uint64_t first, const struct optimizer_tile *tile, struct err *err);

#endif
