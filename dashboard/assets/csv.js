// Rows to CSV. A text that a spreadsheet would take for a formula gets a leading apostrophe; numbers stay numbers.

function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function csvText(header, rows) {
  return [header, ...rows].map((row) => row.map(csvCell).join(",") + "\r\n").join("");
}

function fileName(parts) {
  return `${parts.map((part) => String(part).replace(/[^A-Za-z0-9_-]+/g, "_")).join("-")}.csv`;
}

function downloadCsv(name, header, rows) {
  const address = URL.createObjectURL(new Blob(["\ufeff", csvText(header, rows)], { type: "text/csv;charset=utf-8" }));
  const link = el("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
