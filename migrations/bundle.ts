// The migrations of both databases. Written by tools/bundle-migrations.ts from the SQL files beside it.
export interface Migration {
  name: string
  sql: string
}

/** Of a cluster's database. */
export const migrations: readonly Migration[] = [
  {
    name: '0000_cluster',
    sql: 'CREATE TABLE `allocations` (\n\t`kind` text NOT NULL,\n\t`value` text NOT NULL,\n\t`owner` text NOT NULL,\n\tPRIMARY KEY(`kind`, `value`)\n) WITHOUT ROWID;\n--> statement-breakpoint\nCREATE INDEX `allocations_owner` ON `allocations` (`owner`);--> statement-breakpoint\nCREATE TABLE `log` (\n\t`rv` integer PRIMARY KEY AUTOINCREMENT NOT NULL,\n\t`resource` text NOT NULL,\n\t`ns` text NOT NULL,\n\t`name` text NOT NULL,\n\t`uid` text NOT NULL,\n\t`verb` text NOT NULL,\n\t`prev` integer,\n\t`labels` text NOT NULL,\n\t`fields` text NOT NULL,\n\t`at` integer NOT NULL,\n\t`by` text NOT NULL,\n\t`body` text NOT NULL\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `log_version` ON `log` (`resource`,`ns`,`name`,`prev`);--> statement-breakpoint\nCREATE TABLE `meta` (\n\t`key` text PRIMARY KEY NOT NULL,\n\t`value` text NOT NULL\n) WITHOUT ROWID;\n--> statement-breakpoint\nCREATE TABLE `objects` (\n\t`resource` text NOT NULL,\n\t`ns` text NOT NULL,\n\t`name` text NOT NULL,\n\t`rv` integer NOT NULL,\n\tPRIMARY KEY(`resource`, `ns`, `name`)\n) WITHOUT ROWID;\n--> statement-breakpoint\nCREATE TABLE `tokens` (\n\t`hash` text PRIMARY KEY NOT NULL,\n\t`kind` text NOT NULL,\n\t`user` text NOT NULL,\n\t`uid` text NOT NULL,\n\t`groups` text NOT NULL,\n\t`uses` integer,\n\t`expires` integer\n);\n--> statement-breakpoint\nCREATE TABLE `wakeups` (\n\t`controller` text NOT NULL,\n\t`key` text NOT NULL,\n\t`due` integer NOT NULL,\n\tPRIMARY KEY(`controller`, `key`)\n) WITHOUT ROWID;\n--> statement-breakpoint\nCREATE INDEX `wakeups_due` ON `wakeups` (`due`);',
  },
  {
    name: '0001_token_bounds',
    sql: 'ALTER TABLE `tokens` ADD `bound` text;--> statement-breakpoint\nALTER TABLE `tokens` ADD `created` integer;',
  },
  {
    name: '0002_pods_by_node',
    sql: 'CREATE INDEX `log_pods_by_node` ON `log` (("fields" ->> \'$."spec.nodeName"\'),`ns`,`name`) WHERE "resource" = \'pods\';',
  },
]

/** Of the directory's database. */
export const directoryMigrations: readonly Migration[] = [
  {
    name: '0000_directory',
    sql: 'CREATE TABLE `accounts` (\n\t`name` text PRIMARY KEY NOT NULL,\n\t`title` text NOT NULL,\n\t`created` integer NOT NULL,\n\t`limits` text NOT NULL\n);\n--> statement-breakpoint\nCREATE TABLE `clusters` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`name` text NOT NULL,\n\t`account` text NOT NULL,\n\t`state` text NOT NULL,\n\t`created` integer NOT NULL,\n\t`database` text NOT NULL,\n\t`key` text NOT NULL\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `clusters_name_unique` ON `clusters` (`name`);--> statement-breakpoint\nCREATE INDEX `clusters_account` ON `clusters` (`account`);--> statement-breakpoint\nCREATE TABLE `members` (\n\t`account` text NOT NULL,\n\t`user` text NOT NULL,\n\t`role` text NOT NULL,\n\t`created` integer NOT NULL,\n\tPRIMARY KEY(`account`, `user`)\n);\n--> statement-breakpoint\nCREATE INDEX `members_user` ON `members` (`user`);--> statement-breakpoint\nCREATE TABLE `tokens` (\n\t`id` text PRIMARY KEY NOT NULL,\n\t`hash` text NOT NULL,\n\t`account` text NOT NULL,\n\t`name` text NOT NULL,\n\t`role` text NOT NULL,\n\t`cluster` text,\n\t`namespace` text,\n\t`created` integer NOT NULL,\n\t`expires` integer,\n\t`used` integer\n);\n--> statement-breakpoint\nCREATE UNIQUE INDEX `tokens_hash_unique` ON `tokens` (`hash`);--> statement-breakpoint\nCREATE INDEX `tokens_account` ON `tokens` (`account`);--> statement-breakpoint\nCREATE TABLE `usage` (\n\t`account` text NOT NULL,\n\t`day` text NOT NULL,\n\t`cluster` text NOT NULL,\n\t`requests` integer NOT NULL,\n\tPRIMARY KEY(`account`, `day`, `cluster`)\n);\n',
  },
]
