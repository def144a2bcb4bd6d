/* What the kernel says of this process; 0 where it does not. */
#ifndef API_OBSERVE_PROCESS_H
#define API_OBSERVE_PROCESS_H

#include <stdint.h>

double api_process_cpu_seconds(void);
uint64_t api_process_resident_bytes(void);
uint64_t api_process_open_files(void);
uint64_t api_process_files_max(void);

#endif
