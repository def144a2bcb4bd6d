#include "service/placement/task.h"

#include <string.h>

#include "store/base/alloc.h"
#include "store/base/crc32c.h"

/* --- places --------------------------------------------------------------------------------- */

static uint32_t
place_of(const struct cluster *cluster, const char *job_name, int32_t number)
{
    const struct cluster_job *job = cluster_find_job(cluster, bytes_of_text(job_name));
    const struct cluster_task *task = job == NULL ? NULL : cluster_find_task(job, number);

    if (task == NULL)
        return (uint32_t)cluster->task_count;
    return (uint32_t)(job->first + (size_t)(task - job->tasks));
}

enum err_code
task_memo_open(struct task_memo *memo, struct err *err)
{
    memo->spots = mem_zeroed(TASK_MEMO_SPOTS, sizeof *memo->spots, err);
    return memo->spots == NULL ? ERR_NO_MEMORY : OK;
}

void
task_memo_drop(struct task_memo *memo)
{
    mem_free(memo->spots);
    memo->spots = NULL;
}

enum err_code
task_table_open(struct task_table *table, const struct cluster *cluster,
                const struct device_set *devices, struct err *err)
{
    table->cluster = cluster;
    table->devices = devices;
    table->of_devices = mem_zeroed(devices->count, sizeof *table->of_devices, err);
    table->counters = mem_zeroed(cluster->task_count + 1, sizeof *table->counters, err);
    table->work = mem_zeroed(cluster->task_count + 1, sizeof *table->work, err);
    table->touched = mem_zeroed(cluster->task_count + 1, sizeof *table->touched, err);
    if (table->of_devices == NULL || table->counters == NULL || table->work == NULL ||
        table->touched == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < devices->count; i++)
        table->of_devices[i] =
            place_of(cluster, devices->devices[i].spec.job, devices->devices[i].spec.task);
    return task_memo_open(&table->memo, err);
}

void
task_table_drop(struct task_table *table)
{
    mem_free(table->of_devices);
    mem_free(table->counters);
    mem_free(table->work);
    mem_free(table->touched);
    task_memo_drop(&table->memo);
    memset(table, 0, sizeof *table);
}

_Static_assert((int)RECORD_DEVICE_BYTES_MAX == (int)DEVICE_TEXT_BYTES_MAX,
               "a missing task's name is printed into a spot");

/* Which device of a task it is makes no difference, nor whether the task has such a one. */
static uint32_t
look_up(const struct task_table *table, const char *device)
{
    uint32_t nowhere = (uint32_t)table->cluster->task_count;
    struct device_spec given, spec;

    if (device_spec_parse(device, &given, NULL) != OK || !device_spec_to_runtime(&given, &spec))
        return nowhere;
    if (spec.has_job && spec.has_task)
        return spec.has_replica && spec.replica != 0
                   ? nowhere
                   : place_of(table->cluster, spec.job, spec.task);
    spec.has_type = spec.has_index = false;
    for (size_t i = 0; i < table->devices->count; i++)
        if (device_spec_covers(&spec, &table->devices->devices[i].spec))
            return table->of_devices[i];
    return nowhere;
}

/* "/job:ps/task:7" of "/job:ps/task:7/device:CPU:0". */
static void
name_missing(const char *device, char out[static DEVICE_TEXT_BYTES_MAX + 1])
{
    struct device_spec spec;

    if (device_spec_parse(device, &spec, NULL) != OK) {
        memcpy(out, device, strlen(device) + 1);
        return;
    }
    spec.has_type = spec.has_index = false;
    device_spec_print(&spec, out);
}

/* A device has two spots: where it is, or is to be, in place of what was there. */
static struct task_spot *
spot_of(struct task_memo *memo, const char *device, size_t size, bool *known)
{
    struct task_spot *pair = &memo->spots[crc32c(0, device, size) % (TASK_MEMO_SPOTS / 2) * 2];

    for (size_t i = 0; i < 2; i++) {
        *known = pair[i].known && strcmp(pair[i].device, device) == 0;
        if (*known)
            return &pair[i];
    }
    return &pair[pair[0].known];
}

struct task_spot *
task_find(const struct task_table *table, struct task_memo *memo, const char *device)
{
    size_t size = strlen(device);
    bool known;
    struct task_spot *spot = spot_of(memo, device, size, &known);

    if (known)
        return spot;
    spot->known = true;
    spot->note = 0;
    spot->place = look_up(table, device);
    memcpy(spot->device, device, size + 1);
    spot->missing[0] = '\0';
    if (spot->place == table->cluster->task_count)
        name_missing(device, spot->missing);
    return spot;
}

/* --- counting ------------------------------------------------------------------------------- */

void
task_begin(struct task_table *table)
{
    for (uint32_t i = 0; i < table->touched_count; i++)
        table->work[table->touched[i]] = (struct task_work){.touched = false};
    table->touched_count = 0;
}

void
task_note(struct task_table *table, const char *device, uint64_t written_bytes)
{
    uint32_t place = task_find(table, &table->memo, device)->place;

    if (!table->work[place].touched)
        table->touched[table->touched_count++] = place;
    table->work[place].touched = true;
    table->work[place].written_bytes += written_bytes;
}

enum err_code
task_take(const struct task_table *table, struct task_tally *tally, struct err *err)
{
    struct task_share *shares = tally->few;

    task_tally_drop(tally);
    if (table->touched_count > TASK_TALLY_FEW) {
        tally->many = mem_zeroed(table->touched_count, sizeof *tally->many, err);
        if (tally->many == NULL)
            return ERR_NO_MEMORY;
        shares = tally->many;
    }
    tally->count = table->touched_count;
    for (uint32_t i = 0; i < tally->count; i++)
        shares[i] =
            (struct task_share){.place = table->touched[i],
                                .written_bytes = table->work[table->touched[i]].written_bytes};
    return OK;
}

void
task_tally_drop(struct task_tally *tally)
{
    mem_free(tally->many);
    tally->many = NULL;
    tally->count = 0;
}

void
task_count(struct task_table *table, const struct task_tally *tally)
{
    const struct task_share *shares = tally->many != NULL ? tally->many : tally->few;

    for (uint32_t i = 0; i < tally->count; i++) {
        struct task_counter *counter = &table->counters[shares[i].place];

        atomic_fetch_add_explicit(&counter->commits, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&counter->written_bytes, shares[i].written_bytes,
                                  memory_order_relaxed);
    }
}
