/* tasks.c: what a worker was started for. All timing is in execute.c and latency.c. */
#include "report.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>

enum { SPIN_TARGET_NS = 1000000 };

static int32_t calibrate(dmx_worker *self, uint64_t target_ns) {
    uint64_t iterations = self->request->iterations;
    if (iterations == 0) {
        dmx_phase(self, "calibrate", -1);
        int32_t status = dmx_calibrate(self->lanes, self->arm_count, target_ns, &iterations, ERROR(self));
        if (status != DM_OK) {
            return status;
        }
        dmx_answer_begin(self->answer, "calibrated");
        dmx_answer_key(self->answer, "iterations");
        dmx_answer_whole(self->answer, iterations);
        dmx_answer_end(self->answer);
    }
    for (size_t i = 0; i < self->arm_count; i++) {
        self->lanes[i].iterations = dmx_scale(iterations, self->request->arms[i].work);
        self->lanes[i].lead = dmx_lead(iterations); /* the same for all arms, whatever their work: they stay at the same operation */
    }
    return DM_OK;
}

static void warm_up(dmx_worker *self) {
    dmx_phase(self, "warmup", -1);
    uint8_t order[DMX_ARMS];
    size_t count = 0;
    for (size_t i = 0; i < self->request->arm_count; i++) { /* as they were set up; a task may use the first arms only */
        if (self->request->order[i] < self->arm_count) {
            order[count++] = self->request->order[i];
        }
    }
    dmx_warm_up(self->lanes, order, count, self->request->warmup_ns);
    for (size_t i = 0; i < self->arm_count; i++) {
        self->lanes[i].checksum = 0; /* of the samples only */
    }
}

int32_t dmx_read_metrics(dmx_worker *self) {
    for (size_t i = 0; i < self->arm_count; i++) {
        dmx_phase(self, "metrics", (int)i);
        const size_t count = self->arms[i].kernel->metric_count;
        double *values = malloc((count + 1) * sizeof *values);
        if (values == NULL) {
            return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory");
        }
        int32_t status = dmx_arm_metrics(&self->arms[i], values, ERROR(self));
        if (status == DM_OK) {
            dmx_report_metrics(self->answer, i, values, count);
        }
        free(values);
        if (status != DM_OK) {
            return status;
        }
    }
    return DM_OK;
}

int32_t dmx_prepare(dmx_worker *self) {
    dmx_phase(self, "prepare", 0);
    int32_t status = dmx_arm_open(&self->arms[0], self->kernels[0], &self->inputs, ERROR(self));
    return status == DM_OK ? dmx_arm_prepare(&self->arms[0], self->request->path, ERROR(self)) : status;
}

/* The samples after the exchange go on where those before it ended, warmed up once more. Returns how many pages each arm gave. */
static size_t exchange_pages(dmx_worker *self) {
    dmx_phase(self, "exchange", -1);
    const size_t pages = dmx_exchange_pages(&self->memory[0], &self->memory[1]);
    if (pages > 0) {
        uint64_t checksums[DMX_ARMS];
        for (size_t i = 0; i < self->arm_count; i++) {
            checksums[i] = self->lanes[i].checksum;
        }
        warm_up(self);
        for (size_t i = 0; i < self->arm_count; i++) {
            self->lanes[i].checksum = checksums[i];
        }
    }
    dmx_phase(self, "run", -1);
    return pages;
}

int32_t dmx_measure(dmx_worker *self) {
    const size_t count = self->request->schedule_count, first = self->request->exchange;
    dmx_sample *samples = malloc(count * sizeof *samples);
    if (samples == NULL) {
        return dmx_refuse(ERROR(self), DM_ERROR_MEMORY, "out of memory for %zu samples", count);
    }
    memset(samples, 0xff, count * sizeof *samples); /* touched now, not between samples */
    int32_t status = calibrate(self, self->request->target_ns);
    if (status == DM_OK) {
        warm_up(self);
        dmx_phase(self, "run", -1);
        dmx_execute(self->lanes, self->request->schedule, first, samples);
        const size_t exchanged = first > 0 ? exchange_pages(self) : 0;
        dmx_execute(self->lanes, self->request->schedule + first, count - first, samples + first);
        dmx_report_samples(self->answer, self->lanes, self->arm_count, samples, count, exchanged);
    }
    free(samples);
    return status;
}

static int32_t latency_passes(dmx_worker *self, dmx_latency **latencies) {
    const dmx_request *request = self->request;
    int32_t status = DM_OK;
    for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
        status = dmx_latency_open(request->operations, &latencies[i], ERROR(self));
    }
    if (status == DM_OK) {
        warm_up(self);
    }
    /* Pass by pass, not arm by arm: whatever the machine does meanwhile, it does to all arms. */
    for (uint64_t pass = 0; pass < request->passes; pass++) {
        for (size_t i = 0; status == DM_OK && i < self->arm_count; i++) {
            dmx_phase(self, "latency", (int)i);
            status = dmx_latency_pass(latencies[i], &self->arms[i], ERROR(self));
        }
    }
    return status;
}

int32_t dmx_measure_latency(dmx_worker *self) {
    dmx_latency *latencies[DMX_ARMS] = {0};
    for (size_t i = 0; i < self->arm_count; i++) {
        self->lanes[i].iterations = self->request->iterations > 0 ? self->request->iterations : 1;
    }
    int32_t status = latency_passes(self, latencies);
    for (size_t i = 0; i < self->arm_count; i++) {
        if (status == DM_OK) {
            dmx_report_latency(self->answer, i, self->request->operations * self->request->passes, latencies[i]);
        }
        dmx_latency_close(latencies[i]);
    }
    return status;
}

int32_t dmx_spin(dmx_worker *self) {
    int32_t status = calibrate(self, self->request->target_ns > 0 ? self->request->target_ns : SPIN_TARGET_NS);
    if (status != DM_OK) {
        return status;
    }
    warm_up(self);
    dmx_phase(self, "spin", 0);
    static const uint8_t arm_0[1] = {0};
    uint64_t operations = 0, wall_ns = 0, cpu_ns = 0;
    for (uint64_t begin = dmx_now(); dmx_now() - begin < self->request->duration_ns;) {
        dmx_sample sample;
        dmx_execute(self->lanes, arm_0, 1, &sample);
        operations += self->lanes[0].iterations;
        wall_ns += sample.wall_ns;
        cpu_ns += sample.cpu_ns;
    }
    dmx_answer_begin(self->answer, "spun");
    dmx_answer_key(self->answer, "operations");
    dmx_answer_whole(self->answer, operations);
    dmx_answer_key(self->answer, "wall_ns");
    dmx_answer_whole(self->answer, wall_ns);
    dmx_answer_key(self->answer, "cpu_ns");
    dmx_answer_whole(self->answer, cpu_ns);
    dmx_answer_end(self->answer);
    return DM_OK;
}
