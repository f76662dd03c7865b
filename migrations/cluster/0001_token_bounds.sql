ALTER TABLE `tokens` ADD `bound` text;--> statement-breakpoint
ALTER TABLE `tokens` ADD `created` integer;