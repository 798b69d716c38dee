/* plays.c: one line `play` after the other, and the file of times. */
#include "host/report.h"
#include "player.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Memory for the times of a play, there before it begins. A mapping of the file would be written back during the play,
 * and every page written back faults again. The file's room is reserved now: what was played for an hour must not be
 * lost to a full disk. */
static int32_t reserve_times(dmp_player *self, size_t size, dmp_times **times) {
    const off_t end = lseek(self->times, 0, SEEK_END);
    if (fallocate(self->times, FALLOC_FL_KEEP_SIZE, end > 0 ? end : 0, (off_t)size) != 0 && errno == ENOSPC) {
        return dmx_refuse(ERROR(self), DM_ERROR_IO, "no room for %zu bytes of times in %s", size, self->request.times);
    }
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory for the times of a play: %zu bytes", size);
    }
    *times = memory;
    return DM_OK;
}

static int32_t write_times(dmp_player *self, const dmp_times *times, size_t size) {
    const char *from = (const char *)times;
    for (size_t written = 0; written < size;) {
        const ssize_t wrote = write(self->times, from + written, size - written);
        if (wrote < 0 && errno != EINTR) {
            return dmx_refuse(ERROR(self), DM_ERROR_IO, "cannot write %s: %s", self->request.times, strerror(errno));
        }
        written += wrote > 0 ? (size_t)wrote : 0;
    }
    return DM_OK;
}

static int32_t perform(dmp_player *self, const dmp_play *play) {
    const size_t size = (size_t)play->count * sizeof(dmp_times);
    dmp_times *times = NULL;
    dmp_phase(self, "play", (int)play->arm);
    int32_t status = self->times >= 0 ? reserve_times(self, size, &times) : DM_OK;
    if (status != DM_OK) {
        return status;
    }
    dmp_played played;
    uint64_t steal_before = 0, steal_after = 0;
    const bool before = dmx_read_steal(&steal_before);
    dmp_crew_play(self->crew, &self->arms[play->arm].lane, play, times, &played);
    const bool steal_known = dmx_read_steal(&steal_after) && before;
    const uint64_t steal = steal_after - steal_before;
    if (times != NULL) {
        status = write_times(self, times, size);
        (void)munmap(times, size); /* before the resident memory is read */
    }
    if (status == DM_OK) {
        status = dmp_read_metrics(self, play->arm);
    }
    if (status == DM_OK) {
        dmp_report_played(&self->answer, &self->trace, play, &played, &self->accounts[play->arm],
                          steal_known ? &steal : NULL);
    }
    return status;
}

int32_t dmp_play_all(dmp_player *self) {
    for (;;) {
        dmp_command command = DMP_COMMAND_END;
        dmp_play play;
        int32_t status =
            dmp_command_read(&self->input, &self->request, self->trace.count, &command, &play, ERROR(self));
        self->malformed = status != DM_OK;
        if (status != DM_OK || command == DMP_COMMAND_END) {
            return status;
        }
        status = perform(self, &play);
        if (status != DM_OK) {
            return status;
        }
        if (self->answer.failed) {
            return dmx_refuse(ERROR(self), DM_ERROR_IO, "nobody reads the answers");
        }
    }
}
