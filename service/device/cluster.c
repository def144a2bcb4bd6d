#include "service/device/cluster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { SHOWN_BYTES_MAX = 80 };

void
cluster_drop(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->job_count; i++)
        mem_free(cluster->jobs[i].tasks);
    mem_free(cluster->jobs);
    *cluster = (struct cluster){.jobs = NULL};
}

static int
shown(struct bytes text)
{
    return text.size < SHOWN_BYTES_MAX ? (int)text.size : SHOWN_BYTES_MAX;
}

/* --- what a name and an address may be ------------------------------------------------------ */

static bool
is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* What TensorFlow's runtime takes as the job of a device's name. */
static bool
is_job_name(struct bytes name)
{
    const uint8_t *c = name.data;

    if (name.size == 0 || name.size > CLUSTER_JOB_BYTES_MAX || !is_letter(c[0]))
        return false;
    for (size_t i = 1; i < name.size; i++)
        if (!is_letter(c[i]) && !is_digit(c[i]) && c[i] != '_')
            return false;
    return true;
}

static bool
is_address(struct bytes address)
{
    const uint8_t *c = address.data;

    if (address.size > CLUSTER_ADDRESS_BYTES_MAX)
        return false;
    for (size_t i = 0; i < address.size; i++)
        if (c[i] <= ' ' || c[i] > '~' || c[i] == '"' || c[i] == '\\')
            return false;
    return true;
}

/* --- one by one ----------------------------------------------------------------------------- */

const struct cluster_job *
cluster_find_job(const struct cluster *cluster, struct bytes name)
{
    for (size_t i = 0; i < cluster->job_count; i++)
        if (bytes_equal(bytes_of_text(cluster->jobs[i].name), name))
            return &cluster->jobs[i];
    return NULL;
}

enum err_code
cluster_add_job(struct cluster *cluster, struct bytes name, struct cluster_job **out,
                struct err *err)
{
    struct cluster_job *jobs;

    if (!is_job_name(name))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a job's name is a letter, then letters, digits and '_', %d at most, not "
                       "'%.*s'",
                       CLUSTER_JOB_BYTES_MAX, shown(name), (const char *)name.data);
    if (cluster_find_job(cluster, name) != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "job '%.*s' is named twice", (int)name.size,
                       (const char *)name.data);
    if (cluster->job_count == cluster->limits.jobs_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a cluster has at most %" PRIu32 " jobs (cluster_jobs_max)",
                       cluster->limits.jobs_max);
    jobs = mem_grown(cluster->jobs, cluster->job_count, &cluster->job_capacity, sizeof *jobs, err);
    if (jobs == NULL)
        return ERR_NO_MEMORY;
    cluster->jobs = jobs;
    *out = &jobs[cluster->job_count++];
    **out = (struct cluster_job){.tasks = NULL};
    memcpy((*out)->name, name.data, name.size);
    return OK;
}

static bool
has_task(const struct cluster_job *job, int64_t number)
{
    for (size_t i = 0; i < job->task_count; i++)
        if (job->tasks[i].number == number)
            return true;
    return false;
}

static enum err_code
check_task(const struct cluster *cluster, const struct cluster_job *job, int64_t number,
           struct bytes address, struct err *err)
{
    if (number < 0 || number > INT32_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "job '%s': a task's number is between 0 and %" PRId32 ", not %" PRId64,
                       job->name, INT32_MAX, number);
    if (has_task(job, number))
        return err_set(err, ERR_INVALID_ARGUMENT, "job '%s': task %" PRId64 " is there twice",
                       job->name, number);
    if (!is_address(address))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "job '%s': the address of task %" PRId64
                       " is host:port, without blanks and of at most %d bytes, not '%.*s'",
                       job->name, number, CLUSTER_ADDRESS_BYTES_MAX, shown(address),
                       (const char *)address.data);
    if (cluster->task_count == cluster->limits.tasks_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a cluster has at most %" PRIu32
                       " tasks in all its jobs (cluster_tasks_max)",
                       cluster->limits.tasks_max);
    return OK;
}

enum err_code
cluster_add_task(struct cluster *cluster, struct cluster_job *job, int64_t number,
                 struct bytes address, struct err *err)
{
    struct cluster_task *tasks, *task;

    TRY(check_task(cluster, job, number, address, err));
    tasks = mem_grown(job->tasks, job->task_count, &job->task_capacity, sizeof *tasks, err);
    if (tasks == NULL)
        return ERR_NO_MEMORY;
    job->tasks = tasks;
    task = &tasks[job->task_count++];
    cluster->task_count++;
    *task = (struct cluster_task){.number = (int32_t)number};
    if (address.size > 0)
        memcpy(task->address, address.data, address.size);
    return OK;
}

enum err_code
cluster_add_tasks(struct cluster *cluster, struct cluster_job *job, int64_t count, struct err *err)
{
    if (count < 0 || count > cluster->limits.tasks_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "job '%s' may have up to %" PRIu32
                       " tasks (cluster_tasks_max), not %" PRId64,
                       job->name, cluster->limits.tasks_max, count);
    for (int64_t i = 0; i < count; i++)
        TRY(cluster_add_task(cluster, job, i, bytes_of("", 0), err));
    return OK;
}

static int
compare_jobs(const void *a, const void *b)
{
    return strcmp(((const struct cluster_job *)a)->name, ((const struct cluster_job *)b)->name);
}

static int
compare_tasks(const void *a, const void *b)
{
    int32_t left = ((const struct cluster_task *)a)->number,
            right = ((const struct cluster_task *)b)->number;

    return (left > right) - (left < right);
}

void
cluster_sort(struct cluster *cluster)
{
    if (cluster->job_count > 0)
        qsort(cluster->jobs, cluster->job_count, sizeof *cluster->jobs, compare_jobs);
    for (size_t i = 0; i < cluster->job_count; i++) {
        struct cluster_job *job = &cluster->jobs[i];

        job->first = i == 0 ? 0 : job[-1].first + job[-1].task_count;
        if (job->task_count > 0)
            qsort(job->tasks, job->task_count, sizeof *job->tasks, compare_tasks);
    }
}

const struct cluster_task *
cluster_find_task(const struct cluster_job *job, int64_t number)
{
    struct cluster_task key = {.number = (int32_t)number};

    if (job->task_count == 0 || number < 0 || number > INT32_MAX)
        return NULL;
    return bsearch(&key, job->tasks, job->task_count, sizeof *job->tasks, compare_tasks);
}

/* --- as a text ------------------------------------------------------------------------------ */

static struct bytes
trimmed(struct bytes text)
{
    const uint8_t *c = text.data;

    while (text.size > 0 && c[0] == ' ') {
        c++;
        text.size--;
    }
    while (text.size > 0 && c[text.size - 1] == ' ')
        text.size--;
    text.data = c;
    return text;
}

static bool
read_count(struct bytes text, int64_t *out)
{
    const uint8_t *c = text.data;

    if (text.size == 0 || text.size > 9)
        return false;
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(c[i]))
            return false;
        *out = *out * 10 + (c[i] - '0');
    }
    return true;
}

/* "ps=4" */
static enum err_code
add_item(struct cluster *cluster, struct bytes item, struct err *err)
{
    const char *text = (const char *)item.data, *sign = memchr(text, '=', item.size);
    struct cluster_job *job = NULL;
    struct bytes name, number;
    int64_t count = 0;

    if (sign == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%.*s' is not job=tasks, such as ps=4",
                       shown(item), text);
    name = trimmed(bytes_of(text, (size_t)(sign - text)));
    number = trimmed(bytes_of(sign + 1, item.size - (size_t)(sign + 1 - text)));
    TRY(cluster_add_job(cluster, name, &job, err));
    if (!read_count(number, &count) || count == 0 || count > cluster->limits.tasks_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "job '%s' has 1 to %" PRIu32 " tasks (cluster_tasks_max), not '%.*s'",
                       job->name, cluster->limits.tasks_max, shown(number),
                       (const char *)number.data);
    return cluster_add_tasks(cluster, job, count, err);
}

enum err_code
cluster_parse(const char *text, const struct cluster_limits *limits, struct cluster *out,
              struct err *err)
{
    AUTO(cluster) cluster = {.limits = *limits};

    for (;;) {
        size_t size = strcspn(text, ",");

        TRY(add_item(&cluster, trimmed(bytes_of(text, size)), err));
        if (text[size] == '\0')
            break;
        text += size + 1;
    }
    cluster_sort(&cluster);
    *out = TAKE(cluster);
    return OK;
}

enum err_code
cluster_local(struct cluster *out, struct err *err)
{
    static const struct cluster_limits one = {1, 1};

    return cluster_parse("localhost=1", &one, out, err);
}
