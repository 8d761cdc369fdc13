/*
 * A calendar that can be set, for one program: loaded with LD_PRELOAD, it adds to the time of day as many seconds as
 * the file named by SHIFTED_CLOCK says (eight bytes, a signed number in the machine's order), at once when that file
 * is written. The monotonic clocks stay as they are, as they do when a real machine's calendar is set.
 *
 * Rust's standard library asks clock_gettime() of the C library, so that this is what it gets.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset;

/* Without its file it would shift nothing, and a test with it would prove nothing. */
__attribute__((constructor)) static void open_offset(void)
{
    const char *path = getenv("SHIFTED_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        perror("SHIFTED_CLOCK");
        abort();
    }
    close(file);
    offset = mapped;
}

static int64_t shift(void)
{
    return offset ? *offset : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    int result = (int)syscall(SYS_gettimeofday, time, zone);
    if (result == 0 && time)
        time->tv_sec += shift();
    return result;
}

time_t time(time_t *result)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}
