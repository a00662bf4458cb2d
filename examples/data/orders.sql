CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(200), amount decimal(12, 2), day date);
INSERT INTO orders VALUES
  (1, 'Ada Lovelace', 425.45, '2026-11-01'),
  (2, 'Grace Hopper', 198.72, '2026-11-02'),
  (3, 'Katherine Johnson', 518.50, '2026-11-02'),
  (4, 'Edsger Dijkstra', NULL, '2026-11-03'),
  (5, 'Barbara Liskov', 64.28, '2026-11-03');
