/* tune.cpp: see tune.h. */
#include "tune.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace peer {

namespace {

constexpr float tie = 1e-6f;
constexpr double one_sided_95 = 1.645;
constexpr double step = 1.15;
constexpr int passes = 3;

float dot(const float *a, const float *b, std::size_t dim) {
    float sum = 0.0f;
    for (std::size_t i = 0; i < dim; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* What the search of held-out rows is measured by. */
class trial {
public:
    trial(const float *values, const split &divided, std::size_t dim, std::uint32_t k)
        : values_(values), kept_(divided.kept), held_(divided.rows.size() - divided.kept), dim_(dim), k_(k), kth_(held_) {
        std::vector<float> best(held_ * k, -2.0f); /* cosines per query, the best first */
        for (std::size_t row = 0; row < kept_; row++) { /* the queries stay in the cache, the rows pass by */
            for (std::size_t query = 0; query < held_; query++) {
                const float cosine = dot(values + row * dim, held_out(query), dim);
                float *mine = &best[query * k];
                if (cosine > mine[k - 1]) {
                    std::uint32_t place = k - 1;
                    for (; place > 0 && cosine > mine[place - 1]; place--) {
                        mine[place] = mine[place - 1];
                    }
                    mine[place] = cosine;
                }
            }
        }
        for (std::size_t query = 0; query < held_; query++) {
            kth_[query] = best[query * k + k - 1];
        }
    }

    /* The recall that the index has at least. */
    double low(index &built) const {
        double sum = 0.0;
        double squares = 0.0;
        for (std::size_t query = 0; query < held_; query++) {
            std::uint32_t found[k_most];
            const std::uint32_t count = built.search(held_out(query), k_, found);
            std::uint32_t good = 0;
            for (std::uint32_t i = 0; i < count; i++) {
                good += dot(values_ + found[i] * dim_, held_out(query), dim_) >= kth_[query] - tie;
            }
            const double share = static_cast<double>(good) / k_;
            sum += share;
            squares += share * share;
        }
        const double count = static_cast<double>(held_);
        const double mean = sum / count;
        const double variance = std::max(0.0, squares - count * mean * mean) / (count - 1.0);
        return mean - one_sided_95 * std::sqrt(variance / count);
    }

    /* Lowers fastest[query] to what a search took, where that is less. */
    void time(index &built, std::vector<double> &fastest) const {
        using clock = std::chrono::steady_clock;
        std::uint32_t found[k_most];
        for (std::size_t query = 0; query < held_; query++) {
            const clock::time_point begin = clock::now();
            built.search(held_out(query), k_, found);
            fastest[query] = std::min(fastest[query], std::chrono::duration<double>(clock::now() - begin).count());
        }
    }

    std::size_t count() const { return held_; }

private:
    const float *held_out(std::size_t query) const { return values_ + (kept_ + query) * dim_; }

    const float *values_;
    std::size_t kept_;
    std::size_t held_;
    std::size_t dim_;
    std::uint32_t k_;
    std::vector<float> kth_; /* cosine of the k-th nearest row, by query */
};

std::vector<std::uint32_t> ladder(std::uint32_t least, std::uint32_t most) {
    std::vector<std::uint32_t> widths;
    for (std::uint32_t width = least; width < most;
         width = std::max(width + 1, static_cast<std::uint32_t>(std::lround(width * step)))) {
        widths.push_back(width);
    }
    widths.push_back(most);
    return widths;
}

/* Each query's fastest of several passes, so that what else the machine does decides nothing. */
effort quickest(index &built, const trial &held_out, const std::vector<effort> &efforts) {
    std::vector<std::vector<double>> fastest(efforts.size(), std::vector<double>(held_out.count(), 1e9));
    for (int pass = 0; pass < passes; pass++) {
        for (std::size_t i = 0; i < efforts.size(); i++) {
            built.set_effort(efforts[i]);
            held_out.time(built, fastest[i]);
        }
    }
    std::vector<double> sums;
    for (const std::vector<double> &of_queries : fastest) {
        sums.push_back(std::accumulate(of_queries.begin(), of_queries.end(), 0.0));
    }
    return efforts[static_cast<std::size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin())];
}

} // namespace

split hold_out(std::uint32_t rows) {
    const std::uint32_t held = std::min(500u, std::max(50u, rows / 5));
    if (rows <= held) {
        throw std::invalid_argument("an index is tuned with at least 50 rows held out; give more data");
    }
    std::vector<std::uint32_t> drawn(rows);
    dm_stored_case_shuffle(drawn.data(), rows, 1);
    std::vector<bool> out(rows, false);
    for (std::uint32_t i = 0; i < held; i++) {
        out[drawn[i]] = true;
    }
    split divided{{}, rows - held};
    for (const bool last : {false, true}) {
        for (std::uint32_t row = 0; row < rows; row++) {
            if (out[row] == last) {
                divided.rows.push_back(row);
            }
        }
    }
    return divided;
}

effort tune(index &built, const float *values, const split &divided, std::size_t dim, std::uint32_t k, double recall) {
    if (divided.kept < k) {
        throw std::invalid_argument("fewer rows than k are left beside those held out; give more data or lower k");
    }
    const trial held_out(values, divided, dim, k);
    const std::vector<std::uint32_t> widths = ladder(built.least_width(k), std::max(built.least_width(k), built.most_width()));
    std::vector<effort> reached;
    for (const std::uint32_t k_factor : built.k_factors()) {
        const auto falls_short = [&](std::uint32_t width, double wanted) {
            built.set_effort({width, k_factor});
            return held_out.low(built) < wanted;
        };
        const auto first = std::lower_bound(widths.begin(), widths.end(), recall, falls_short);
        if (first != widths.end()) {
            reached.push_back({*first, k_factor});
        }
    }
    if (reached.empty()) {
        return {widths.back(), built.k_factors().back()};
    }
    return reached.size() == 1 ? reached[0] : quickest(built, held_out, reached);
}

} // namespace peer
