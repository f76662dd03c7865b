CREATE TABLE `accounts` (
	`name` text PRIMARY KEY NOT NULL,
	`title` text NOT NULL,
	`created` integer NOT NULL,
	`limits` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `clusters` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`account` text NOT NULL,
	`state` text NOT NULL,
	`created` integer NOT NULL,
	`database` text NOT NULL,
	`key` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `clusters_name_unique` ON `clusters` (`name`);--> statement-breakpoint
CREATE INDEX `clusters_account` ON `clusters` (`account`);--> statement-breakpoint
CREATE TABLE `members` (
	`account` text NOT NULL,
	`user` text NOT NULL,
	`role` text NOT NULL,
	`created` integer NOT NULL,
	PRIMARY KEY(`account`, `user`)
);
--> statement-breakpoint
CREATE INDEX `members_user` ON `members` (`user`);--> statement-breakpoint
CREATE TABLE `tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`hash` text NOT NULL,
	`account` text NOT NULL,
	`name` text NOT NULL,
	`role` text NOT NULL,
	`cluster` text,
	`namespace` text,
	`created` integer NOT NULL,
	`expires` integer,
	`used` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_hash_unique` ON `tokens` (`hash`);--> statement-breakpoint
CREATE INDEX `tokens_account` ON `tokens` (`account`);--> statement-breakpoint
CREATE TABLE `usage` (
	`account` text NOT NULL,
	`day` text NOT NULL,
	`cluster` text NOT NULL,
	`requests` integer NOT NULL,
	PRIMARY KEY(`account`, `day`, `cluster`)
);
