/* The domain: models and what lives in them, over one store. Knows no HTTP and no JSON.
 *
 * Every operation takes the service first, is atomic and durable when it returns, and may be called
 * from any thread. Writes block until their commit; call them from a worker. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/bytes.h"
#include "store/base/err.h"

struct cluster; /* service/device/cluster.h */
struct service;
struct store;
struct write_outcome; /* service/run/outcome.h */

/* Limits; 0 is never "unlimited". Filled from service/settings.def. */
struct service_limits {
    uint64_t tensor_bytes_max;          /* one value */
    uint64_t literal_bytes_max;         /* tensors written out in requests */
    uint64_t expression_bytes_max;      /* working memory of one expression */
    uint64_t expression_operations_max; /* multiplications of one expression's matrix ops */
    uint32_t expression_nodes_max;
    uint32_t expression_depth_max;
    uint32_t variables_per_request_max;
    uint32_t compute_threads;        /* that work on one expression together */
    uint64_t inline_reply_bytes_max; /* values up to this are copied into a reply, not leased */
    uint64_t idempotency_reply_bytes_max; /* a reply kept under its key; over 1 MiB is 1 MiB */
    uint64_t idempotency_keep_ms;         /* how long it is kept */
    uint64_t idempotency_keys_max;        /* kept at once */
    uint64_t accumulation_keep_ms;        /* how long one waits for its next contribution */
    uint64_t history_bytes_max;           /* of all variables; 0: none is kept, and no thread */
    uint64_t history_interval_ms;         /* between two snapshots of a variable, */
    uint64_t history_interval_versions;   /* and so many versions */
    uint32_t history_cpu_percent;         /* of one processor, at most */
    uint64_t model_quota_bytes;           /* of new models; 0: none */
    uint64_t model_quota_variables;       /* likewise */
    uint64_t changes_max;                 /* revisions whose changes are kept */
    uint64_t changes_bytes_max;           /* of their records; about */
    uint64_t backup_rate_max_bytes;       /* a second, of each backup; 0: as fast as it goes */
    uint32_t backups_max;                 /* at once */
    /* Whose tasks are this process's, in order; borrowed, must outlive the service. NULL: it is
     * task 0 of job localhost. */
    const struct cluster *cluster;
    uint32_t cpu_devices;        /* of each task */
    uint32_t cpu_device_threads; /* that compute together on one of them; 0: compute_threads */
    uint32_t cluster_jobs_max, cluster_tasks_max; /* of a cluster in a request */
    uint32_t cluster_devices_max;                 /* of that whose tasks are this process's */
    uint32_t devices_per_request_max; /* that a question where something would be names */
};

struct service_limits service_limits_default(void);

/* Borrows the store, which must outlive *out. Owned by the caller: service_close. */
/* ERR_UNAVAILABLE when another version of the program wrote the store. */
ERR_MUST_CHECK enum err_code service_open(struct store *store, const struct service_limits *limits,
                                          struct service **out, struct err *err);
void service_close(struct service *service); /* NULL is fine */
/* Long computations and verifications under way give up (ERR_UNAVAILABLE, nothing changed); what is
 * short still works. Before service_close, when waiting has an end. Any thread. */
void service_interrupt(struct service *service);

/* Calls `wake` each time something has happened that somebody may be waiting for; which thing is a
 * topic: accumulation_topic, accumulator_topic. On the thread that did it, without locks, after its
 * commit. Set before the first request and NULL after the last. */
#define SERVICE_TOPIC_ALL UINT64_C(0) /* what goes with an optimizer or a model: any number */
typedef void service_wake(void *context, uint64_t topic);
void service_on_wake(struct service *service, service_wake *wake, void *context);

const struct service_limits *service_limits_of(const struct service *service);
uint64_t service_revision(const struct service *service);
const char *service_identity(const struct service *service);        /* the store's */
const char *service_durability_name(const struct service *service); /* "commit", "interval=100ms" */
/* Whether commits are still possible; the reason when not. */
ERR_MUST_CHECK enum err_code service_ready(struct service *service, struct err *err);

/* How a write is to be committed. Zeroed: unconditionally, with the server's durability. */
struct write_options {
    bool durable;       /* sync before returning, whatever the mode */
    const char *op;     /* what changes are said to come from (change.h); static; NULL: nothing */
    bool if_none_match; /* the thing must not exist: ERR_PRECONDITION_FAILED */
    bool if_match;      /* its revision must be one of these: ERR_PRECONDITION_FAILED */
    bool if_match_any;  /* If-Match: *: it must exist */
    const uint64_t *revisions;
    uint32_t revision_count;
    /* What the client is to be told, kept with the effect under its key; NULL: nothing is kept. */
    struct write_outcome *outcome;
    /* What waiting for the commit takes is added; NULL: nobody asks. */
    uint64_t *commit_us;
};

#endif
