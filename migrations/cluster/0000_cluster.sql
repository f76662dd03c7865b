CREATE TABLE `allocations` (
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`owner` text NOT NULL,
	PRIMARY KEY(`kind`, `value`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `allocations_owner` ON `allocations` (`owner`);--> statement-breakpoint
CREATE TABLE `log` (
	`rv` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`resource` text NOT NULL,
	`ns` text NOT NULL,
	`name` text NOT NULL,
	`uid` text NOT NULL,
	`verb` text NOT NULL,
	`prev` integer,
	`labels` text NOT NULL,
	`fields` text NOT NULL,
	`at` integer NOT NULL,
	`by` text NOT NULL,
	`body` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `log_version` ON `log` (`resource`,`ns`,`name`,`prev`);--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `objects` (
	`resource` text NOT NULL,
	`ns` text NOT NULL,
	`name` text NOT NULL,
	`rv` integer NOT NULL,
	PRIMARY KEY(`resource`, `ns`, `name`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tokens` (
	`hash` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`user` text NOT NULL,
	`uid` text NOT NULL,
	`groups` text NOT NULL,
	`uses` integer,
	`expires` integer
);
--> statement-breakpoint
CREATE TABLE `wakeups` (
	`controller` text NOT NULL,
	`key` text NOT NULL,
	`due` integer NOT NULL,
	PRIMARY KEY(`controller`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `wakeups_due` ON `wakeups` (`due`);