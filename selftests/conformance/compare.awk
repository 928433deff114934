# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# Compares what the conformance program said natively and under Wine, as TAP.
#
#	awk -f compare.awk differences NATIVE WINE
#
# One result for each check: the native outcome is the one the check expects, and Wine's is the
# same or is explained by a row of differences. One more for each row: it explains something.

function result(good, text) {
	printf "%s %d %s\n", good ? "ok" : "not ok", ++number, text
}

function matches(text, pattern) {
	gsub(/\./, "\\.", pattern)
	gsub(/\*/, ".*", pattern)
	return text ~ "^" pattern "$"
}

# The row that explains it, or 0.
function row_of(name, native, wine,    i) {
	for (i = 1; i <= rows; i++)
		if (matches(name, row_name[i]) && native == row_native[i] && wine == row_wine[i])
			return i
	return 0
}

{ sub(/\r$/, "") }

FNR == 1 { file++ }

file == 1 && /^[^#]/ {
	if (NF < 4) {
		result(0, "row without a reason: " $0)
		next
	}
	row_name[++rows] = $1
	row_native[rows] = $2
	row_wine[rows] = $3
}

file > 1 && /^(not )?ok / {
	name = $(NF - 1)
	if ((file, name) in outcome)
		result(0, name " is there twice in " FILENAME)
	outcome[file, name] = $NF
	if (file == 2) {
		names[++checks] = name
		good[name] = $1 == "ok"
	} else if (!((2, name) in outcome)) {
		result(0, name " is checked under Wine only")
	}
}

file > 1 && /^1\.\.[0-9]+$/ { planned[file] = substr($0, 4) }

END {
	if (!checks || planned[2] != checks || planned[3] != checks) {
		printf "Bail out! natively %d checks of %s, under Wine %s planned\n", checks,
		       planned[2] == "" ? "none planned" : planned[2],
		       planned[3] == "" ? "none" : planned[3]
		exit 1
	}
	for (i = 1; i <= checks; i++) {
		name = names[i]
		native = outcome[2, name]
		if (!((3, name) in outcome)) {
			result(0, name " is checked natively only")
			continue
		}
		wine = outcome[3, name]
		row = native == wine ? 0 : row_of(name, native, wine)
		if (row)
			used[row]++
		different += native != wine
		result(good[name] && (native == wine || row),
		       name " " native (native == wine ? "" : ", Wine " wine))
	}
	for (row = 1; row <= rows; row++)
		result(used[row], "row " row_name[row] " explains " used[row] + 0)
	printf "# %d checks, %d outcomes differ, %d rows\n", checks, different, rows
	printf "1..%d\n", number
}
