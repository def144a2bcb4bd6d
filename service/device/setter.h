/* TensorFlow's replica_device_setter: on which device a new op goes that was told no task.
 *
 * Pure: arguments, what was drawn so far, one op; out comes a device. Whoever keeps the state
 * writes it down with what was made (service/placement/model_setter.h). The rules are those of r1.0
 * (python/training/device_setter.py, contrib/training/python/training/device_setter.py); of 1.15
 * with DEVICE_SETTER_1_15, where no task is drawn for an op that has a job of its own.
 *
 * Knowingly otherwise: devices are canonical, those of merge_devices false too, which r1.0 passes
 * on as they were written; so a ps_device of no parts ("/") is none. Without tasks r1.0's function
 * is None, which as a scope hides what is around it; here it is the no-op that its document calls
 * it. Loads are whole numbers, where r1.0's are doubles and lose count past 2^53. */
#ifndef SERVICE_DEVICE_SETTER_H
#define SERVICE_DEVICE_SETTER_H

#include "service/device/spec.h"
#include "service/tensor/tensor.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

enum {
    DEVICE_SETTER_TASKS_MAX = 1024,      /* whose loads are kept in one record */
    DEVICE_SETTER_LIST_BYTES_MAX = 1023, /* of ps_ops, and of a cluster, as text */
    DEVICE_SETTER_OP_BYTES_MAX = 63,     /* of the type of an op */
};

/* Stored: the order stays. */
enum device_setter_strategy {
    DEVICE_SETTER_ROUND_ROBIN, /* "round_robin" */
    DEVICE_SETTER_GREEDY,      /* "greedy": the task with the least load, the first of several */
    DEVICE_SETTER_STRATEGY_COUNT
};
/* What an op weighs in a greedy choice; stored likewise. */
enum device_setter_load {
    DEVICE_SETTER_BYTES, /* "bytes": byte_size_load_fn */
    DEVICE_SETTER_OPS,   /* "ops": each as much as any other */
    DEVICE_SETTER_LOAD_COUNT
};
enum device_setter_version { DEVICE_SETTER_1_0, DEVICE_SETTER_1_15, DEVICE_SETTER_VERSION_COUNT };

/* "round_robin"; "bytes"; "1.15". */
const char *device_setter_strategy_name(enum device_setter_strategy strategy);
const char *device_setter_load_name(enum device_setter_load load);
const char *device_setter_version_name(enum device_setter_version version);

/* The function's arguments. Plain data without pointers. */
struct device_setter_args {
    enum device_setter_strategy strategy;
    enum device_setter_load load;
    enum device_setter_version version;
    bool merge_devices;
    bool has_ps_tasks; /* false, and no cluster: as many as there are of the job of ps_device */
    uint32_t ps_tasks;
    bool has_cluster; /* then ps_tasks is what it says of the job of ps_device */
    bool has_ps_ops;  /* false: the version's */
    char ps_device[DEVICE_TEXT_BYTES_MAX + 1]; /* canonical; "": no op goes to a task */
    char worker_device[DEVICE_TEXT_BYTES_MAX + 1];
    char cluster[DEVICE_SETTER_LIST_BYTES_MAX + 1]; /* "ps=2,worker=3", by name; no job: "" */
    char ps_ops[DEVICE_SETTER_LIST_BYTES_MAX + 1];  /* "Variable,VariableV2" */
};

/* TensorFlow's defaults. */
struct device_setter_args device_setter_args_default(void);
/* The first argument in which they differ, with both values as texts; NULL: none. */
const char *device_setter_args_differ(const struct device_setter_args *a,
                                      const struct device_setter_args *b,
                                      char of_a[static DEVICE_SETTER_LIST_BYTES_MAX + 1],
                                      char of_b[static DEVICE_SETTER_LIST_BYTES_MAX + 1]);
/* Adds a job to the cluster, in its place by name; ERR_INVALID_ARGUMENT when it is there, its name
 * is none, or there is no room. */
ERR_MUST_CHECK enum err_code device_setter_add_job(struct device_setter_args *args,
                                                   struct bytes name, uint64_t tasks,
                                                   struct err *err);
/* Adds the type of an op to ps_ops likewise, at the end. */
ERR_MUST_CHECK enum err_code device_setter_add_op(struct device_setter_args *args,
                                                  struct bytes type, struct err *err);
/* The entries of a list as `cluster` and `ps_ops` are: begin with *rest the text; false at its end.
 * Borrows from it. */
bool device_setter_next(const char **rest, struct bytes *entry);
/* The entry "ps=2" taken apart. */
uint32_t device_setter_job(struct bytes entry, struct bytes *name);
/* The types of ps ops: the client's, or the version's. */
const char *device_setter_ps_ops(const struct device_setter_args *args);

/* The job that tasks are drawn of; "" when ps_device names none. */
ERR_MUST_CHECK enum err_code device_setter_ps_job(const struct device_setter_args *args,
                                                  char out[static DEVICE_TEXT_BYTES_MAX + 1],
                                                  struct err *err);
/* How many tasks there are to draw from; 0: nothing is placed at all. `here`: how many tasks of
 * that job the process has, for arguments that say nothing of it. */
ERR_MUST_CHECK enum err_code device_setter_tasks(const struct device_setter_args *args,
                                                 uint32_t here, uint32_t *out, struct err *err);

/* What was drawn so far. Zeroed: nothing. */
struct device_setter_state {
    uint32_t next;                           /* task, of the round */
    uint32_t load_count;                     /* tasks that ever had one */
    uint64_t loads[DEVICE_SETTER_TASKS_MAX]; /* INT64_MAX at most, which replies can tell */
};

struct device_setter_op {
    const char *type;              /* "VariableV2" */
    const struct device_spec *own; /* what scopes inside the setter's say */
    const struct tensor_type *tensor;
    bool shape_known; /* false: the tensor's is not said; a load in bytes is then an error */
};

/* The op's device. *drawn: a task was drawn for it, and the state is another.
 * ERR_INVALID_ARGUMENT, of a shape in TensorFlow's words; the state is then not to be kept. */
ERR_MUST_CHECK enum err_code device_setter_choose(const struct device_setter_args *args,
                                                  uint32_t tasks, struct device_setter_state *state,
                                                  const struct device_setter_op *op,
                                                  struct device_spec *out, bool *drawn,
                                                  struct err *err);

#endif
