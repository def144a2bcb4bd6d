/* GET /v1/cluster: the jobs and tasks whose variables this process keeps, and what each task has.
 */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "service/device/cluster.h"
#include "service/placement/task_usage.h"
#include "store/base/scope.h"

static json_t *
json_u64(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static enum err_code
set_usage(json_t *json, const struct task_usage *usage, struct err *err)
{
    TRY(api_json_set(json, "variables", json_u64(usage->variables), err));
    TRY(api_json_set(json, "initialized", json_u64(usage->initialized), err));
    TRY(api_json_set(json, "bytes", json_u64(usage->bytes), err));
    TRY(api_json_set(json, "commits", json_u64(usage->commits), err));
    return api_json_set(json, "written_bytes", json_u64(usage->written_bytes), err);
}

static enum err_code
describe_task(const struct cluster_job *job, const struct cluster_task *task,
              const struct task_usage *usage, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char name[DEVICE_TEXT_BYTES_MAX + 1];

    snprintf(name, sizeof name, "/job:%s/replica:0/task:%" PRId32, job->name, task->number);
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "task", json_integer(task->number), err));
    TRY(api_json_set(json, "name", json_string(name), err));
    TRY(api_json_set(json, "address",
                     task->address[0] == '\0' ? json_null() : json_string(task->address), err));
    TRY(api_json_set(json, "devices", json_u64(usage->devices), err));
    TRY(set_usage(json, usage, err));
    *out = TAKE(json);
    return OK;
}

static enum err_code
describe_job(const struct cluster_job *job, const struct task_usages *usages, json_t **out,
             struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *tasks = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(job->name), err));
    TRY(api_json_made(json_array(), &tasks, err));
    TRY(api_json_set(json, "tasks", tasks, err)); /* which has it from here on */
    for (size_t i = 0; i < job->task_count; i++) {
        json_t *task = NULL;

        TRY(describe_task(job, &job->tasks[i], &usages->tasks[job->first + i], &task, err));
        TRY(api_json_push(tasks, task, err));
    }
    *out = TAKE(json);
    return OK;
}

/* What is on none of the tasks, and which ones it names. */
static enum err_code
describe_elsewhere(const struct task_usages *usages, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *missing = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(set_usage(json, &usages->tasks[usages->count], err));
    TRY(api_json_made(json_array(), &missing, err));
    TRY(api_json_set(json, "missing", missing, err));
    for (size_t i = 0; i < usages->missing_count; i++)
        TRY(api_json_push(missing,
                          json_pack("{s:s, s:I}", "name", usages->missing[i].name, "variables",
                                    (json_int_t)usages->missing[i].variables),
                          err));
    TRY(api_json_set(json, "unnamed", json_u64(usages->unnamed), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_cluster(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct service *service = api_request_service(rq);
    const struct cluster *cluster = service_cluster(service);
    AUTO(task_usages) usages = {.count = 0};
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *jobs = NULL, *elsewhere = NULL;

    TRY(task_usages_read(service, UINT64_MAX, &usages, err));
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "revision", json_u64(usages.revision), err));
    TRY(api_json_made(json_array(), &jobs, err));
    TRY(api_json_set(json, "jobs", jobs, err));
    for (size_t i = 0; i < cluster->job_count; i++) {
        json_t *job = NULL;

        TRY(describe_job(&cluster->jobs[i], &usages, &job, err));
        TRY(api_json_push(jobs, job, err));
    }
    TRY(describe_elsewhere(&usages, &elsewhere, err));
    TRY(api_json_set(json, "elsewhere", elsewhere, err));
    TRY(api_reply_revision(rp, usages.revision, err));
    return api_reply_json(rp, 200, TAKE(json), err);
}
