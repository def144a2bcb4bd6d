#include "api/observe/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double
seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double
api_process_cpu_seconds(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

/* /proc/self/statm: pages of the address space, and of them those in memory. */
uint64_t
api_process_resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[128] = "", *rest = line;
    unsigned long pages;

    if (file == NULL)
        return 0;
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    (void)fclose(file);
    (void)strtoul(rest, &rest, 10);
    pages = strtoul(rest, NULL, 10);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t
api_process_open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    uint64_t count = 0;

    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count - 1; /* without the directory's own */
}

uint64_t
api_process_files_max(void)
{
    struct rlimit files;

    return getrlimit(RLIMIT_NOFILE, &files) == 0 ? (uint64_t)files.rlim_cur : 0;
}
